package volume_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/fairlead/fairlead/workload/volume"
)

var data = volume.ID{Env: "production", App: "triage", Name: "data"}

func open(t *testing.T) (*volume.Dir, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "volumes")
	d, err := volume.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d, path
}

func me() volume.Owner { return volume.Owner{UID: os.Getuid(), GID: os.Getgid()} }

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAVolumeIsMadeOnceAndKeepsWhatItHolds(t *testing.T) {
	d, top := open(t)
	path, err := d.Make(data, volume.Shared, me())
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(top, "production/triage/data/data"); path != want {
		t.Errorf("it is at %s, want %s", path, want)
	}
	write(t, filepath.Join(path, "file"), "kept")
	again, err := d.Make(data, volume.Shared, me())
	if content, _ := os.ReadFile(filepath.Join(again, "file")); err != nil || string(content) != "kept" {
		t.Errorf("made again it holds %q, %v", content, err)
	}
	for dir := path; dir != filepath.Dir(top); dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v, %v", dir, info.Mode(), err)
		}
	}
}

func TestAReleaseOfAFreshVolumeBeginsWithAnEmptyOne(t *testing.T) {
	d, _ := open(t)
	seventh, err := d.Make(data, 7, me())
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(seventh, "file"), "of seven")
	eighth, err := d.Make(data, 8, me())
	if entries, _ := os.ReadDir(eighth); err != nil || len(entries) != 0 {
		t.Errorf("release 8 begins with %v, %v", entries, err)
	}
	if releases, err := d.Releases(data); err != nil || !reflect.DeepEqual(releases, []int{7, 8}) {
		t.Errorf("there are releases %v, %v", releases, err)
	}
	if err := d.RemoveRelease(data, 7); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(seventh); !os.IsNotExist(err) {
		t.Errorf("release 7 is still there: %v", err)
	}
}

func TestAVolumeBelongsToItsAppWithAllThatItHolds(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root gives files away")
	}
	d, _ := open(t)
	path, err := d.Make(data, volume.Shared, volume.Owner{UID: 200_001, GID: 200_001})
	if err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(t.TempDir(), "outside")
	write(t, outside, "not the app's")
	write(t, filepath.Join(path, "file"), "the app's")
	if err := os.Symlink(outside, filepath.Join(path, "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Make(data, volume.Shared, volume.Owner{UID: 1000, GID: 1001}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]volume.Owner{path: {1000, 1001}, path + "/file": {1000, 1001}, path + "/link": {1000, 1001}, outside: {0, 0}, filepath.Dir(path): {0, 0}} {
		if got := ownerOf(t, name); got != want {
			t.Errorf("%s is of %v, want %v", name, got, want)
		}
	}
}

func ownerOf(t *testing.T, path string) volume.Owner {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	stat := info.Sys().(*syscall.Stat_t)
	return volume.Owner{UID: int(stat.Uid), GID: int(stat.Gid)}
}

func TestUseIsWhatTheDiskHoldsAndNoLinkLeadsOut(t *testing.T) {
	d, _ := open(t)
	if used, err := d.Used(t.Context(), data, volume.Shared); used != 0 || err != nil {
		t.Errorf("a volume that is not there takes %d, %v", used, err)
	}
	path, err := d.Make(data, volume.Shared, me())
	if err != nil {
		t.Fatal(err)
	}
	empty, err := d.Used(t.Context(), data, volume.Shared)
	if err != nil {
		t.Fatal(err)
	}
	outside := t.TempDir()
	write(t, filepath.Join(outside, "large"), strings.Repeat("x", 5<<20))
	write(t, filepath.Join(path, "file"), strings.Repeat("x", 1<<20))
	err = os.Link(filepath.Join(path, "file"), filepath.Join(path, "same"))
	if err := os.Symlink(outside, filepath.Join(path, "out")); err != nil {
		t.Fatal(err)
	}
	used, measured := d.Used(t.Context(), data, volume.Shared)
	if grown := used - empty; err != nil || measured != nil || grown < 1<<20 || grown > 2<<20 {
		t.Errorf("it takes %d more for 1 MiB, %v, %v", grown, err, measured)
	}
}

func TestRemovingAVolumeLeavesWhatItsLinksNameAndOtherVolumes(t *testing.T) {
	d, top := open(t)
	path, err := d.Make(data, volume.Shared, me())
	if err != nil {
		t.Fatal(err)
	}
	other := volume.ID{Env: "production", App: "search", Name: "index"}
	if _, err := d.Make(other, 3, me()); err != nil {
		t.Fatal(err)
	}
	outside := t.TempDir()
	write(t, filepath.Join(outside, "file"), "kept")
	if err := os.Symlink(outside, filepath.Join(path, "out")); err != nil {
		t.Fatal(err)
	}
	if all, err := d.All(); err != nil || !reflect.DeepEqual(all, []volume.ID{other, data}) {
		t.Errorf("there are %v, %v", all, err)
	}
	if err := d.Remove(data); err != nil {
		t.Fatal(err)
	}
	if all, err := d.All(); err != nil || !reflect.DeepEqual(all, []volume.ID{other}) {
		t.Errorf("there are %v, %v", all, err)
	}
	if content, err := os.ReadFile(filepath.Join(outside, "file")); string(content) != "kept" {
		t.Errorf("what a link named is gone: %v", err)
	}
	if _, err := os.Stat(filepath.Join(top, "production", "triage")); !os.IsNotExist(err) {
		t.Errorf("the app's empty directory is left: %v", err)
	}
	if err := d.Remove(data); err != nil {
		t.Errorf("removing it again: %v", err)
	}
}

func TestALinkInPlaceOfAVolumeIsNotFollowed(t *testing.T) {
	d, top := open(t)
	if err := os.MkdirAll(filepath.Join(top, "production/triage"), 0o700); err != nil {
		t.Fatal(err)
	}
	outside := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(top, "production/triage/data")); err != nil {
		t.Fatal(err)
	}
	if path, err := d.Make(data, volume.Shared, me()); err == nil {
		t.Errorf("a volume is made at %s", path)
	}
	if entries, err := fs.ReadDir(os.DirFS(outside), "."); err != nil || len(entries) != 0 {
		t.Errorf("behind the link there is %v, %v", entries, err)
	}
}

func TestAVolumeIsMeasuredWhileItIsWrittenByWhatTheDiskTakes(t *testing.T) {
	d, _ := open(t)
	path, err := d.Make(data, 12, me())
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(path, "sparse"), "")
	if err := os.Truncate(filepath.Join(path, "sparse"), 1<<40); err != nil {
		t.Fatal(err)
	}
	if used, err := d.Used(t.Context(), data, 12); err != nil || used > 1<<20 {
		t.Errorf("a file of which nothing was written takes %d, %v", used, err)
	}
	if used, err := d.Used(t.Context(), data, 2); err != nil || used != 0 {
		t.Errorf("release 2 takes %d of what is release 12's, %v", used, err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := d.Used(ended, data, 12); !errors.Is(err, context.Canceled) {
		t.Errorf("a measurement that nobody waits for gives %v", err)
	}
}

func TestOnlyWhatFairleadMadeIsAVolumeOrARelease(t *testing.T) {
	d, top := open(t)
	if _, err := d.Make(data, 3, me()); err != nil {
		t.Fatal(err)
	}
	for _, stray := range []string{"production/triage/lost+found", "production/triage/.trash", "production/triage/data/release-0", "production/triage/data/release-x", "production/triage/data/release-", "production/triage/data/7"} {
		if err := os.MkdirAll(filepath.Join(top, stray), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := d.All(); err != nil || !reflect.DeepEqual(all, []volume.ID{data}) {
		t.Errorf("there are %v, %v", all, err)
	}
	if releases, err := d.Releases(data); err != nil || !reflect.DeepEqual(releases, []int{3}) {
		t.Errorf("there are releases %v, %v", releases, err)
	}
}

func TestNamesThatLeadElsewhereAreNoVolumes(t *testing.T) {
	d, _ := open(t)
	if _, err := d.Make(data, -1, me()); err == nil {
		t.Error("a release below 0 has a volume")
	}
	for _, id := range []volume.ID{{}, {Env: "..", App: "a", Name: "b"}, {Env: "a", App: "b", Name: "../c"}, {Env: "a", App: "b", Name: "."}} {
		if _, err := d.Make(id, 1, me()); err == nil {
			t.Errorf("%v is made", id)
		}
		if err := d.Remove(id); err == nil {
			t.Errorf("%v is removed", id)
		}
	}
}
