package tour

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestReadOnlyTreesAreRemoved(t *testing.T) {
	top := filepath.Join(t.TempDir(), "tour")
	tree := filepath.Join(top, "trees", "a")
	if err := os.MkdirAll(tree, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tree, "weights"), []byte("x"), 0o444); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{tree, filepath.Dir(tree)} {
		if err := os.Chmod(dir, 0o555); err != nil {
			t.Fatal(err)
		}
	}
	if err := removeTree(top); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(top); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory is still there: %v", err)
	}
}
