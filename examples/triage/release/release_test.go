package release

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestEachVersionHasFilesAndEachFolderIsAVersion(t *testing.T) {
	folders, err := fs.ReadDir(files, ".")
	if err != nil {
		t.Fatal(err)
	}
	versions := Versions()
	if len(folders) != len(versions) {
		t.Fatalf("%d folders, %d versions", len(folders), len(versions))
	}
	for i, folder := range folders {
		if folder.Name() != versions[i].Name {
			t.Errorf("folder %s, version %s", folder.Name(), versions[i].Name)
		}
	}
}

func TestEachVersionChangesExactlyOneFileOfV1(t *testing.T) {
	for _, version := range Versions()[1:] {
		changed := 0
		err := fs.WalkDir(files, version.Name, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			changed++
			relative, err := filepath.Rel(version.Name, name)
			if err != nil {
				return err
			}
			old, err := fs.ReadFile(files, base+"/"+relative)
			if err != nil {
				return err
			}
			if now, _ := fs.ReadFile(files, name); string(now) == string(old) {
				t.Errorf("%s is the same as in %s", name, base)
			}
			return nil
		})
		if err != nil || changed != 1 {
			t.Errorf("%s: %d files, %v", version.Name, changed, err)
		}
	}
}

func TestWriteLaysOutAReleaseOverAnother(t *testing.T) {
	dir, binary := t.TempDir(), filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(binary, []byte("the program"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"v3", "v2"} {
		if err := Write(dir, binary, version); err != nil {
			t.Fatal(err)
		}
	}
	for file, want := range map[string]string{"config/triage.json": "v1", "prompt/reply.txt": "v2", "model/weights.json": "v1"} {
		got, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if whole, _ := fs.ReadFile(files, want+"/"+file); string(got) != string(whole) {
			t.Errorf("%s is not that of %s", file, want)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "triage"))
	if err != nil || info.Mode().Perm() != 0o755 || info.Size() != int64(len("the program")) {
		t.Errorf("program %v, %v", info, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".triage-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAnUnknownVersionIsRefused(t *testing.T) {
	for _, version := range []string{"", "v9", "..", "v1/../v2", "."} {
		if err := Write(t.TempDir(), "/dev/null", version); err == nil {
			t.Errorf("%q was written", version)
		}
	}
}
