package compose_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/app/compose"
)

// lay writes files into a new directory, and returns it.
func lay(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// importIn imports compose.yaml of a directory with these files.
func importIn(t *testing.T, files map[string]string, environ ...string) (compose.Imported, error) {
	t.Helper()
	dir := lay(t, files)
	return compose.Import(t.Context(), compose.Options{Files: []string{filepath.Join(dir, "compose.yaml")}, Environ: environ})
}

func TestABrokenComposeFileIsRefusedWithItsPlace(t *testing.T) {
	many := "services:\n"
	for i := range 101 {
		many += fmt.Sprintf("  s%d: {image: a}\n", i)
	}
	bomb := "x-a: &a [1,2,3,4,5,6,7,8,9]\n"
	for i := 'b'; i < 'n'; i++ {
		bomb += fmt.Sprintf("x-%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", i, i, i-1, i-1, i-1, i-1, i-1, i-1, i-1, i-1)
	}
	for name, c := range map[string]struct{ text, want string }{
		"empty":              {"", "empty"},
		"no YAML":            {"services:\n  web:\n\timage: a\n", "compose.yaml:3:"},
		"a list":             {"- a\n", "mapping"},
		"no services":        {"volumes: {a: {}}\n", "has no services"},
		"wrong type":         {"services:\n  web:\n    image: a\n    ports: 3\n", "compose.yaml:4:"},
		"unknown attribute":  {"services:\n  web:\n    imaje: a\n", "compose.yaml:"},
		"missing volume":     {"services:\n  web:\n    image: a\n    volumes: ['data:/b']\n", "compose.yaml:"},
		"twice the same key": {"services:\n  web:\n    image: a\n    image: b\n", "compose.yaml:4:"},
		"required variable":  {"services:\n  web:\n    image: ${IMAGE:?say which}\n", "compose.yaml:3:"},
		"bad variable":       {"services:\n  web:\n    image: ${IMAGE\n", "compose.yaml:3:"},
		"many services":      {many, "at most 100"},
		"alias bomb":         {bomb + "services: {web: {image: a, labels: *m}}\n", ""},
		"a range of ports":   {"services:\n  web:\n    image: a\n    ports: ['1-65535:1-65535']\n", "compose.yaml:"},
		"extends a device":   {"services:\n  web:\n    extends: {file: /dev/zero, service: a}\n", "/dev/zero"},
		"includes a device":  {"include: [/dev/zero]\nservices: {web: {image: a}}\n", "/dev/zero"},
		"env of an include":  {"include: [{path: a.yaml, env_file: /dev/zero}]\nservices: {web: {image: a}}\n", "/dev/zero"},
		"includes a URL":     {"include: ['https://example.com/compose.yaml']\nservices: {web: {image: a}}\n", "not on this machine"},
		"includes itself":    {"include: [compose.yaml]\nservices: {web: {image: a}}\n", "cycle"},
		"extends in a ring":  {"services:\n  a: {extends: b}\n  b: {extends: a}\n", "ircular"},
		"env_file a device":  {"services: {web: {image: a, env_file: /dev/zero}}\n", "/dev/zero"},
		"env_file missing":   {"services: {web: {image: a, env_file: none.env}}\n", "none.env"},
		"a bad image":        {"services: {web: {image: 'NOT an image'}}\n", "web"},
	} {
		t.Run(name, func(t *testing.T) {
			imported, err := importIn(t, map[string]string{"compose.yaml": c.text})
			if err == nil {
				t.Fatalf("it was read: %+v", imported)
			}
			if fairlead.CodeOf(err) == fairlead.Internal || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q (%s), want %q in it", err, fairlead.CodeOf(err), c.want)
			}
			if len(err.Error()) > 1000 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

func TestWhatIsNoFileIsNotWaitedFor(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "compose.yaml")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	large := filepath.Join(dir, "large.yaml")
	if err := os.WriteFile(large, make([]byte, 1<<20+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{pipe: "no regular file", dir: "is a directory", large: "larger than 1 MiB", filepath.Join(dir, "none"): "there is no file"} {
		if _, err := compose.Import(t.Context(), compose.Options{Files: []string{file}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", file, err, want)
		}
	}
}

func TestASecretOfABrokenFileIsNotInTheError(t *testing.T) {
	const secret = "hunter2-hunter2"
	for name, files := range map[string]map[string]string{
		".env":     {"compose.yaml": "services: {web: {image: a}}\n", ".env": "A=1\n{PASSWORD}=" + secret + "\n"},
		"env_file": {"compose.yaml": "services: {web: {image: a, env_file: a.env}}\n", "a.env": "PASS WORD " + secret + "\n"},
	} {
		_, err := importIn(t, files)
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzImport demands that no compose file, however odd, makes the import fail
// otherwise than by an error that is the file's, or makes an App that is none.
func FuzzImport(f *testing.F) {
	seeds, _ := filepath.Glob("testdata/*/compose.yaml")
	for _, seed := range seeds {
		if data, err := os.ReadFile(seed); err == nil {
			f.Add(string(data))
		}
	}
	f.Add("services: {web: {image: a, environment: {A: \"\\x00\"}, command: ['', '#']}}\n")
	f.Fuzz(func(t *testing.T, text string) {
		imported, err := importIn(t, map[string]string{"compose.yaml": text})
		if err != nil {
			if fairlead.CodeOf(err) == fairlead.Internal {
				t.Errorf("internal: %v", err)
			}
			return
		}
		for _, s := range imported.Services {
			checkApp(t, s)
		}
	})
}
