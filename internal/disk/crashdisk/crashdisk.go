// Package crashdisk is a disk in memory that is honest about durability: what was
// written is in the operating system's hands, and only what was synced survives a
// loss of power. It is deterministic: chance is what the caller passes to Crash.
//
// The rules are those that POSIX promises and no more. File.Sync makes a file's
// content durable, not its name; SyncDir makes a directory's names durable, not
// the files' content. Of what was not synced a crash keeps any subset, in pieces
// too; where a kept write lies beyond a lost one there are zeroes.
package crashdisk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/fairlead/fairlead/internal/disk"
)

var _ disk.Disk = (*Disk)(nil)

// Op names an operation in a Fault.
type Op string

// The operations that a Fault may fail. Reads, closes and listings do not fail.
const (
	OpCreate   Op = "create" // of a file's name
	OpWrite    Op = "write"
	OpTruncate Op = "truncate"
	OpSync     Op = "sync"
	OpRename   Op = "rename" // path is the new name
	OpLink     Op = "link"   // path is the new name
	OpRemove   Op = "remove"
	OpMkdir    Op = "mkdir"
	OpSyncDir  Op = "syncdir"
)

// Fault decides before an operation whether it fails: nil lets it happen. With a
// *Short the first bytes of a write happen all the same. It must not use the disk.
type Fault func(op Op, path string) error

// Short is the error of a write that stopped in the middle.
type Short struct {
	Bytes int // written
	Err   error
}

// Error returns what stopped the write.
func (s *Short) Error() string { return s.Err.Error() }

// Unwrap returns what stopped the write.
func (s *Short) Unwrap() error { return s.Err }

// Disk is a disk in memory. It is safe for concurrent use.
type Disk struct {
	mu    sync.Mutex
	root  *node
	fault Fault
	life  int // grows with each death: older open files are closed
}

// New returns an empty disk, whose root directory is "/".
func New() *Disk { return &Disk{root: newDir(0o700)} }

// Fail makes f decide over the operations from now on; nil lets all happen.
func (d *Disk) Fail(f Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = f
}

// Kill is the death of the process: open files are closed, and all that was
// written stays as it is, durable or not.
func (d *Disk) Kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.life++
}

// Crash is a loss of power: open files are closed, and of what was not synced a
// subset that chance chooses stays. What stays is durable.
func (d *Disk) Crash(chance *rand.Rand) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.life++
	d.root.crash(chance)
}

// Open opens a file. Flags other than os.O_RDONLY, O_WRONLY, O_RDWR, O_CREATE,
// O_EXCL and O_TRUNC are refused.
func (d *Disk) Open(path string, flag int, mode fs.FileMode) (disk.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	const known = os.O_RDONLY | os.O_WRONLY | os.O_RDWR | os.O_CREATE | os.O_EXCL | os.O_TRUNC
	if flag&^known != 0 {
		return nil, pathError("open", path, errors.ErrUnsupported)
	}
	dir, name, err := d.parent(path)
	if err != nil {
		return nil, pathError("open", path, err)
	}
	n := dir.entries[name]
	switch {
	case n == nil && flag&os.O_CREATE == 0:
		return nil, pathError("open", path, fs.ErrNotExist)
	case n != nil && flag&os.O_CREATE != 0 && flag&os.O_EXCL != 0:
		return nil, pathError("open", path, fs.ErrExist)
	case n != nil && n.dir:
		return nil, pathError("open", path, errors.New("is a directory"))
	case n == nil:
		if err := d.faulty(OpCreate, path); err != nil {
			return nil, err
		}
		n = &node{mode: mode}
		dir.enter(entry{name: name, node: n})
	}
	f := &file{disk: d, node: n, path: path, life: d.life, writable: flag&(os.O_WRONLY|os.O_RDWR) != 0}
	if flag&os.O_TRUNC != 0 {
		return f, f.truncate(0)
	}
	return f, nil
}

// Rename gives a file another name in its directory.
func (d *Disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	dir, old, n, err := d.find(from)
	if err != nil {
		return pathError("rename", from, err)
	}
	if filepath.Dir(filepath.Clean(from)) != filepath.Dir(filepath.Clean(to)) {
		return pathError("rename", to, errors.ErrUnsupported)
	}
	name := filepath.Base(to)
	if over := dir.entries[name]; over != nil && over.dir != n.dir {
		return pathError("rename", to, fs.ErrExist)
	}
	if err := d.faulty(OpRename, to); err != nil {
		return err
	}
	dir.enter(entry{name: name, node: n, gone: old})
	return nil
}

// Link gives a file a second name in its directory.
func (d *Disk) Link(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, _, n, err := d.find(from)
	if err != nil {
		return pathError("link", from, err)
	}
	dir, name, err := d.parent(to)
	if err != nil {
		return pathError("link", to, err)
	}
	if dir.entries[name] != nil {
		return pathError("link", to, fs.ErrExist)
	}
	if err := d.faulty(OpLink, to); err != nil {
		return err
	}
	dir.enter(entry{name: name, node: n})
	return nil
}

// Remove removes a file or an empty directory.
func (d *Disk) Remove(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	dir, name, n, err := d.find(path)
	if err == nil && len(n.entries) > 0 {
		err = errors.New("directory not empty")
	}
	if err != nil {
		return pathError("remove", path, err)
	}
	if err := d.faulty(OpRemove, path); err != nil {
		return err
	}
	dir.enter(entry{gone: name})
	return nil
}

// List returns the names in a directory, sorted.
func (d *Disk) List(path string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	dir, err := d.walk(path)
	if err != nil {
		return nil, pathError("list", path, err)
	}
	names := make([]string, 0, len(dir.entries))
	for name := range dir.entries {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// MkdirAll makes a directory and its parents; the new names are durable.
func (d *Disk) MkdirAll(path string, mode fs.FileMode) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := d.root
	for _, name := range parts(path) {
		next := at.entries[name]
		if next == nil {
			if err := d.faulty(OpMkdir, path); err != nil {
				return err
			}
			next = newDir(mode)
			at.enter(entry{name: name, node: next})
			at.sync()
		}
		if !next.dir {
			return pathError("mkdir", path, errors.New("not a directory"))
		}
		at = next
	}
	return nil
}

// SyncDir makes the names in a directory durable.
func (d *Disk) SyncDir(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	dir, err := d.walk(path)
	if err != nil {
		return pathError("sync", path, err)
	}
	if err := d.faulty(OpSyncDir, path); err != nil {
		return err
	}
	dir.sync()
	return nil
}

// The functions below need the lock.

func (d *Disk) faulty(op Op, path string) error {
	if d.fault == nil {
		return nil
	}
	err := d.fault(op, path)
	if err == nil {
		return nil
	}
	return pathError(string(op), path, err)
}

// walk returns the directory at path.
func (d *Disk) walk(path string) (*node, error) {
	at := d.root
	for _, name := range parts(path) {
		if at = at.entries[name]; at == nil {
			return nil, fs.ErrNotExist
		}
		if !at.dir {
			return nil, errors.New("not a directory")
		}
	}
	return at, nil
}

func (d *Disk) parent(path string) (dir *node, name string, err error) {
	path = filepath.Clean(path)
	dir, err = d.walk(filepath.Dir(path))
	return dir, filepath.Base(path), err
}

func (d *Disk) find(path string) (dir *node, name string, n *node, err error) {
	if dir, name, err = d.parent(path); err != nil {
		return nil, "", nil, err
	}
	if n = dir.entries[name]; n == nil {
		return nil, "", nil, fs.ErrNotExist
	}
	return dir, name, n, nil
}

// parts returns the names on the way from the root to path.
func parts(path string) []string {
	path = strings.TrimPrefix(filepath.Clean("/"+path), "/")
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}

func pathError(op, path string, err error) error { return &fs.PathError{Op: op, Path: path, Err: err} }

// file is an open file.
type file struct {
	disk     *Disk
	node     *node
	path     string
	life     int
	writable bool
	closed   bool
}

// live returns an error once the file is closed or its process dead.
func (f *file) live() error {
	if f.closed || f.life != f.disk.life {
		return pathError("use", f.path, fs.ErrClosed)
	}
	return nil
}

// ReadAt reads what was written, durable or not.
func (f *file) ReadAt(p []byte, off int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.live(); err != nil {
		return 0, err
	}
	if off >= int64(len(f.node.now)) {
		return 0, io.EOF
	}
	n := copy(p, f.node.now[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt writes p, or what a fault leaves of it.
func (f *file) WriteAt(p []byte, off int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.change(); err != nil {
		return 0, err
	}
	if err := f.disk.faulty(OpWrite, f.path); err != nil {
		var short *Short
		if !errors.As(err, &short) {
			return 0, err
		}
		n := max(0, min(short.Bytes, len(p)))
		f.node.write(p[:n], off)
		return n, err
	}
	f.node.write(p, off)
	return len(p), nil
}

// Truncate sets the file's length.
func (f *file) Truncate(size int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.change(); err != nil {
		return err
	}
	return f.truncate(size)
}

func (f *file) truncate(size int64) error {
	if err := f.disk.faulty(OpTruncate, f.path); err != nil {
		return err
	}
	f.node.truncate(size)
	return nil
}

func (f *file) change() error {
	if err := f.live(); err != nil {
		return err
	}
	if !f.writable {
		return pathError("write", f.path, fs.ErrPermission)
	}
	return nil
}

// Chmod sets the file's mode, which no one checks.
func (f *file) Chmod(mode fs.FileMode) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.live(); err != nil {
		return err
	}
	f.node.mode = mode
	return nil
}

// Sync makes the content durable.
func (f *file) Sync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.live(); err != nil {
		return err
	}
	if err := f.disk.faulty(OpSync, f.path); err != nil {
		return err
	}
	f.node.sync()
	return nil
}

// Close closes the file.
func (f *file) Close() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.closed {
		return fmt.Errorf("close %s: %w", f.path, fs.ErrClosed)
	}
	f.closed = true
	return nil
}
