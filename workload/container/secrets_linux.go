package container

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead/workload"
)

// vault is a directory in the memory of this machine that holds an instance's secrets
// for as long as its body lives. The engine sees it as a directory to mount.
type vault struct {
	dir     string
	mounted bool   // a file system of its own, which is never swapped
	detail  string // what it is, for people
}

// vaultMount is where a vault of home is mounted.
func vaultMount(home string) string { return filepath.Join(home, "secrets") }

// vaultShared is the directory of a vault for which nothing can be mounted.
func vaultShared(name string) string { return filepath.Join("/dev/shm", name) }

// openVault writes secrets where only the user of the container, and this one, read
// them. shared is the directory to use where no file system can be mounted.
func openVault(home, shared string, secrets workload.Secrets, owner User) (vault, error) {
	v := vault{dir: vaultMount(home), mounted: true, detail: "a ramfs of its own, never swapped"}
	if err := os.Mkdir(v.dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return v, err
	}
	err := unix.Mount("ramfs", v.dir, "ramfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0755")
	if err != nil {
		v = vault{dir: shared, detail: fmt.Sprintf("/dev/shm, which may be swapped: no file system can be mounted here: %v", err)}
		if err := os.Mkdir(v.dir, 0o700); err != nil {
			return v, fmt.Errorf("make a place for the secrets: %w", err)
		}
	}
	for name, value := range secrets {
		if err := v.write(name, value, owner); err != nil {
			return v, errors.Join(err, v.close())
		}
	}
	return v, nil
}

func (v vault) write(name string, value []byte, owner User) error {
	path := filepath.Join(v.dir, name)
	if err := os.WriteFile(path, value, 0o400); err != nil {
		return fmt.Errorf("write a secret: %w", err)
	}
	if err := os.Chown(path, owner.UID, owner.GID); err != nil && os.Getuid() == 0 {
		return fmt.Errorf("give a secret to its user: %w", err)
	}
	return nil
}

// close forgets the secrets. A vault that is closed already is no error.
func (v vault) close() error {
	err := unix.Unmount(v.dir, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EPERM) {
		err = nil // it is no mount
	}
	return errors.Join(err, os.RemoveAll(v.dir))
}
