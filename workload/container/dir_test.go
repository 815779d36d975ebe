package container_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fairlead/fairlead/workload/container/enginetest"
)

// lay makes a directory of files.
func lay(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// buildFrom has the engine build an image of files, one of which is a Dockerfile.
func buildFrom(t *testing.T, real *enginetest.Engine, files map[string]string) string {
	t.Helper()
	return real.Build(t, "test-built", lay(t, files))
}

func demandFile(t *testing.T, file, want string) {
	t.Helper()
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s holds %q, want %q", file, got, want)
	}
}
