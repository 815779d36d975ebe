package keyfile_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/keyfile"
)

func TestAKeyIsMadeOnceForAllWhoAsk(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new", "key")
	var keys [8][]byte
	var callers sync.WaitGroup
	for i := range keys {
		callers.Go(func() {
			var err error
			keys[i], err = keyfile.ReadOrMake(file, func() ([]byte, error) { return fmt.Appendf(nil, "key %d", i), nil })
			if err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	for _, key := range keys {
		if len(key) == 0 || !bytes.Equal(key, keys[0]) {
			t.Errorf("one has %q, another %q", keys[0], key)
		}
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v, want 0600 (%v)", info.Mode(), err)
	}
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(entries) != 1 {
		t.Errorf("beside it lies %v (%v)", entries, err)
	}
}

func TestAKeyThatOthersMayReadIsRefused(t *testing.T) {
	dir := t.TempDir()
	open, good, link := filepath.Join(dir, "open"), filepath.Join(dir, "good"), filepath.Join(dir, "link")
	for file, mode := range map[string]os.FileMode{open: 0o640, good: 0o600} {
		if err := errors.Join(os.WriteFile(file, []byte("key"), 0o600), os.Chmod(file, mode)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(good, link); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{open, link, dir} {
		if key, err := keyfile.Read(file); !errors.Is(err, keyfile.ErrExposed) {
			t.Errorf("%s gives %q, %v, want that it is exposed", file, key, err)
		}
	}
	if key, err := keyfile.Read(good); err != nil || string(key) != "key" {
		t.Errorf("the good one gives %q, %v", key, err)
	}
}

func TestAMissingKeyIsMissingAndAFailureMakesNone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if _, err := keyfile.Read(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("want that it does not exist, have %v", err)
	}
	failure := errors.New("no randomness")
	if _, err := keyfile.ReadOrMake(file, func() ([]byte, error) { return nil, failure }); !errors.Is(err, failure) {
		t.Errorf("want the failure, have %v", err)
	}
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file is there: %v", err)
	}
}

func TestAFileThatIsTooLargeIsNoKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keyfile.Read(file); err == nil {
		t.Error("a file of 1 MiB is taken for a key")
	}
}
