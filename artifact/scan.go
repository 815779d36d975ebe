package artifact

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"syscall"

	"github.com/fairlead/fairlead"
)

// Limits bound what Scan takes. The zero value means MaxFiles and MaxBytes.
type Limits struct {
	Files int
	Bytes int64
	// Skip leaves out a file, or a directory with all that is below; its path is
	// relative, with "/". Nil leaves out nothing.
	Skip func(path string, dir bool) bool
}

// Scan reads the tree below dir and returns its manifest. Directories named .git
// are left out, and so are .git files (those of submodules and worktrees). Links
// that lead out of dir, devices, sockets and named pipes are errors of code
// invalid that name them. dir must not change meanwhile: a file that does is an
// error where it is noticed, and has one of its contents where not.
func Scan(ctx context.Context, dir string, limits Limits) (Manifest, error) {
	scan := &scan{ctx: ctx, dir: dir, limits: limits}
	if limits.Files == 0 {
		scan.limits.Files = MaxFiles
	}
	if limits.Bytes == 0 {
		scan.limits.Bytes = MaxBytes
	}
	root, err := filepath.EvalSymlinks(dir) // WalkDir does not follow dir itself
	if err != nil {
		return Manifest{}, fairlead.Errorf(fairlead.NotFound, "", "there is no directory %s: %w", dir, err)
	}
	if info, err := os.Stat(root); err != nil || !info.IsDir() {
		return Manifest{}, fairlead.Errorf(fairlead.Invalid, "", "%s is not a directory", dir)
	}
	scan.dir = root
	if err := filepath.WalkDir(root, scan.visit); err != nil {
		return Manifest{}, unfit(dir, failure("read the artifact "+dir, err))
	}
	m := scan.manifest
	sort.Slice(m.Files, func(i, j int) bool { return m.Files[i].Path < m.Files[j].Path })
	if err := m.Check(); err != nil {
		return m, unfit(dir, err)
	}
	return m, nil
}

// unfit says of a directory what was found wrong with its manifest.
func unfit(dir string, err error) error {
	var known *fairlead.Error
	if !errors.As(err, &known) || known.Code != fairlead.Invalid {
		return err
	}
	return fairlead.Errorf(fairlead.Invalid, "", "the artifact %s cannot be released: %w", dir, known.Err).
		WithHint("leave it out of %s, or put there what it stands for", dir)
}

type scan struct {
	ctx      context.Context
	dir      string
	limits   Limits
	bytes    int64
	manifest Manifest
}

func (s *scan) visit(path string, d fs.DirEntry, err error) error {
	if err != nil || s.ctx.Err() != nil {
		return firstOf(err, s.ctx.Err())
	}
	switch {
	case path == s.dir:
		return nil
	case d.Name() == ".git" && d.IsDir():
		return filepath.SkipDir
	case d.Name() == ".git":
		return nil
	}
	relative, err := filepath.Rel(s.dir, path)
	if err != nil {
		return err
	}
	switch skip := s.limits.Skip != nil && s.limits.Skip(filepath.ToSlash(relative), d.IsDir()); {
	case skip && d.IsDir():
		return filepath.SkipDir
	case skip || d.IsDir():
		return nil
	}
	file, err := s.file(path, filepath.ToSlash(relative), d)
	if err != nil {
		return err
	}
	if len(s.manifest.Files) == s.limits.Files {
		return refuse("%s has more than %d files", s.dir, s.limits.Files)
	}
	if s.bytes += file.Size; s.bytes > s.limits.Bytes {
		return refuse("%s has more than %d bytes", s.dir, s.limits.Bytes)
	}
	s.manifest.Files = append(s.manifest.Files, file)
	return nil
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func (s *scan) file(path, name string, d fs.DirEntry) (File, error) {
	switch d.Type() {
	case fs.ModeSymlink:
		target, err := os.Readlink(path)
		return File{Path: name, Link: filepath.ToSlash(target)}, err
	case 0:
		return s.regular(path, name)
	}
	return File{}, refuse("%q is a %s; only files, directories and links are released", name, describe(d.Type()))
}

func describe(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeSocket != 0:
		return "socket"
	case mode&fs.ModeNamedPipe != 0:
		return "named pipe"
	case mode&fs.ModeDevice != 0:
		return "device"
	}
	return "file of an unknown type"
}

func (s *scan) regular(path, name string) (File, error) {
	file, info, err := openRegular(path)
	if err != nil {
		return File{}, err
	}
	defer file.Close()
	if info.Size() > s.limits.Bytes-s.bytes {
		return File{}, refuse("%s has more than %d bytes", s.dir, s.limits.Bytes)
	}
	sum := sha256.New()
	size, err := io.Copy(sum, reader{s.ctx, io.LimitReader(file, info.Size()+1)})
	if err == nil && size != info.Size() {
		err = refuse("%q changed while it was read", name)
	}
	return File{Path: name, Executable: info.Mode()&0o111 != 0, Size: size, Digest: digestOf(sum)}, err
}

// openRegular opens a regular file: not by way of a link, and without waiting for
// the other end of what has become a pipe.
func openRegular(path string) (*os.File, fs.FileInfo, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no longer a regular file", path)
	}
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, info, nil
}
