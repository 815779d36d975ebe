package disk_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/fairlead/fairlead/internal/disk"
)

func TestOnlyRegularFilesAreReadAndNothingIsWaitedFor(t *testing.T) {
	dir := t.TempDir()
	file, pipe, device := filepath.Join(dir, "file"), filepath.Join(dir, "pipe"), filepath.Join(dir, "device")
	if err := errors.Join(os.WriteFile(file, []byte("content"), 0o600), syscall.Mkfifo(pipe, 0o600), os.Symlink("/dev/zero", device)); err != nil {
		t.Fatal(err)
	}
	if data, err := disk.ReadFile(disk.OS{}, file); err != nil || string(data) != "content" {
		t.Errorf("a file gives %q, %v", data, err)
	}
	for _, path := range []string{pipe, device, dir} {
		if data, err := disk.ReadFile(disk.OS{}, path); !errors.Is(err, disk.ErrNotRegular) {
			t.Errorf("%s gives %d bytes, %v", path, len(data), err)
		}
	}
}
