// Package volume keeps the directories of volumes on this machine: below one
// directory, ENV/APP/NAME/data for one that releases hand on, and
// ENV/APP/NAME/release-N for each release of one that begins anew with each.
//
// What is in a volume belongs to an app, which may write anything there, links too:
// nothing here follows a link out of a volume. The directories above belong to
// Fairlead, and nobody else enters them.
package volume

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/atomicfile"
)

// ID names a volume. All its fields are names as in App files.
type ID struct {
	Env, App, Name string
}

// String returns "env/app/name".
func (id ID) String() string { return path.Join(id.Env, id.App, id.Name) }

// ParseID reads what String wrote.
func ParseID(s string) (ID, bool) {
	parts := strings.Split(s, "/")
	if len(parts) != 3 {
		return ID{}, false
	}
	id := ID{parts[0], parts[1], parts[2]}
	return id, id.valid()
}

func (id ID) valid() bool {
	return fairlead.ValidName(id.Env) && fairlead.ValidName(id.App) && fairlead.ValidName(id.Name)
}

// Owner is the user and group whose an app's files are.
type Owner struct{ UID, GID int }

// Dir is the directory below which volumes are. Its methods may be called at the same
// time for different volumes; the caller keeps those for one volume apart.
type Dir struct {
	path string
	root *os.Root
}

// Open opens the directory of volumes, which it makes. Close it.
func Open(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of volumes: %w", err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open the directory of volumes: %w", err)
	}
	return &Dir{path: path, root: root}, nil
}

// Close gives the directory back.
func (d *Dir) Close() error { return d.root.Close() }

// Shared is the release of a volume that all releases share.
const Shared = 0

// part is the directory of a release in a volume.
func part(release int) string {
	if release == Shared {
		return "data"
	}
	return "release-" + strconv.Itoa(release)
}

// Make makes the directory of a release in a volume, or of all with Shared, unless it
// is there, gives it and all in it to its owner, and returns its absolute path. It is
// durable when Make returns nil.
func (d *Dir) Make(id ID, release int, owner Owner) (string, error) {
	if !id.valid() || release < 0 {
		return "", fairlead.Errorf(fairlead.Invalid, "make volume", "%q is no volume of a release", id)
	}
	at := ""
	for _, name := range []string{id.Env, id.App, id.Name, part(release)} {
		parent := at
		at = path.Join(at, name)
		if err := d.mkdir(parent, at); err != nil {
			return "", fmt.Errorf("make volume %s: %w", id, err)
		}
	}
	if err := d.give(at, owner); err != nil {
		return "", fmt.Errorf("give volume %s to its app: %w", id, err)
	}
	return filepath.Join(d.path, filepath.FromSlash(at)), nil
}

// mkdir makes one directory, durably.
func (d *Dir) mkdir(parent, at string) error {
	err := d.root.Mkdir(at, 0o700)
	if err == nil {
		return atomicfile.SyncDir(filepath.Join(d.path, parent))
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := d.root.Lstat(at)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a directory", at)
	}
	return err
}

// give makes owner the owner of the directory at and of all below it, unless the
// directory has that owner. It is the last to change, so that what was interrupted is
// done again.
func (d *Dir) give(at string, owner Owner) error {
	info, err := d.root.Lstat(at)
	if err != nil || ownerOf(info) == owner {
		return err
	}
	if os.Geteuid() != 0 {
		// Only root gives files away. Nobody but the app and Fairlead gets to this
		// directory, for those above are Fairlead's own.
		return d.root.Chmod(at, 0o777)
	}
	err = fs.WalkDir(d.root.FS(), at, func(name string, _ fs.DirEntry, err error) error {
		if err == nil && name != at {
			err = d.root.Lchown(name, owner.UID, owner.GID)
		}
		return err
	})
	return errors.Join(err, d.root.Lchown(at, owner.UID, owner.GID))
}

func ownerOf(info fs.FileInfo) Owner {
	stat := info.Sys().(*syscall.Stat_t)
	return Owner{UID: int(stat.Uid), GID: int(stat.Gid)}
}

// Used returns how many bytes of the disk a volume takes for a release, or with Shared
// for all. What was never made takes none. What changes meanwhile may be counted or not; with
// an error the count is of what could be read.
func (d *Dir) Used(ctx context.Context, id ID, release int) (bytes int64, err error) {
	linked := map[uint64]bool{}
	var unread error
	err = fs.WalkDir(d.root.FS(), path.Join(id.String(), part(release)), func(_ string, entry fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var info fs.FileInfo
		if err == nil {
			info, err = entry.Info()
		}
		switch {
		case errors.Is(err, fs.ErrNotExist): // it was removed meanwhile
			return nil
		case err != nil:
			unread = err
			return nil
		}
		stat := info.Sys().(*syscall.Stat_t)
		if !info.IsDir() && stat.Nlink > 1 {
			if linked[uint64(stat.Ino)] {
				return nil
			}
			linked[uint64(stat.Ino)] = true
		}
		bytes += int64(stat.Blocks) * 512 // of this size on every system, see stat(2)
		return nil
	})
	if err = errors.Join(err, unread); err != nil {
		return bytes, fmt.Errorf("measure volume %s: %w", id, err)
	}
	return bytes, nil
}

// All returns the volumes that have a directory, sorted.
func (d *Dir) All() ([]ID, error) {
	var all []ID
	found, err := fs.Glob(d.root.FS(), "*/*/*")
	for _, name := range found {
		if id, ok := ParseID(name); ok {
			all = append(all, id)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("list volumes: %w", err)
	}
	return all, nil
}

// Releases returns for which releases a volume has a directory of their own.
func (d *Dir) Releases(id ID) ([]int, error) {
	entries, err := fs.ReadDir(d.root.FS(), id.String())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list the releases of volume %s: %w", id, err)
	}
	var releases []int
	for _, entry := range entries {
		number, is := strings.CutPrefix(entry.Name(), "release-")
		if n, err := strconv.Atoi(number); is && err == nil && n > 0 {
			releases = append(releases, n)
		}
	}
	return releases, nil
}

// RemoveRelease removes what a volume holds of one release, or with Shared of all.
func (d *Dir) RemoveRelease(id ID, release int) error {
	if err := d.root.RemoveAll(path.Join(id.String(), part(release))); err != nil {
		return fmt.Errorf("empty volume %s: %w", id, err)
	}
	return nil
}

// Remove removes a volume with all that it holds. One that is not there is no error.
func (d *Dir) Remove(id ID) error {
	if !id.valid() {
		return fairlead.Errorf(fairlead.Invalid, "remove volume", "%q is no volume", id)
	}
	if err := d.root.RemoveAll(id.String()); err != nil {
		return fmt.Errorf("remove volume %s: %w", id, err)
	}
	for _, above := range []string{path.Join(id.Env, id.App), id.Env} {
		if err := d.root.Remove(above); err != nil { // one that holds other volumes stays
			break
		}
	}
	return nil
}
