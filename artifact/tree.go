package artifact

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/atomicfile"
)

// PutTree stores the tree below dir: every blob, then its manifest. It returns the
// manifest's digest, which names the tree.
func (s *Store) PutTree(ctx context.Context, dir string) (fairlead.Digest, Manifest, error) {
	m, err := Scan(ctx, dir, Limits{})
	if err != nil {
		return "", Manifest{}, err
	}
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", Manifest{}, failure("store the artifact", err)
	}
	for _, f := range m.Files {
		if f.Link != "" || s.Has(f.Digest) {
			continue
		}
		if err := s.putFile(ctx, filepath.Join(root, filepath.FromSlash(f.Path)), f); err != nil {
			return "", Manifest{}, err
		}
	}
	digest, err := s.PutManifest(ctx, m)
	return digest, m, err
}

func (s *Store) putFile(ctx context.Context, path string, f File) error {
	file, _, err := openRegular(path)
	if err != nil {
		return failure("store the artifact", err)
	}
	defer file.Close()
	err = s.PutExpect(ctx, f.Digest, file)
	if fairlead.CodeOf(err) == fairlead.Invalid {
		return fairlead.Errorf(fairlead.Conflict, "store the artifact", "%s changed while it was read: %w", f.Path, err)
	}
	return err
}

// PutManifest stores a manifest whose blobs are all there and returns its digest.
// Missing blobs are an error of code conflict; see Missing.
func (s *Store) PutManifest(ctx context.Context, m Manifest) (fairlead.Digest, error) {
	if err := m.Check(); err != nil {
		return "", err
	}
	missing, err := s.Missing(ctx, m.Blobs())
	if err != nil {
		return "", err
	}
	if len(missing) > 0 {
		return "", fairlead.Errorf(fairlead.Conflict, "store the artifact", "%d of its blobs are not stored, such as %s", len(missing), missing[0])
	}
	digest, _, err := s.Put(ctx, bytes.NewReader(m.JSON()))
	return digest, err
}

// Manifest returns the stored manifest with a digest, verified and checked.
func (s *Store) Manifest(digest fairlead.Digest) (Manifest, error) {
	data, err := s.read(digest, maxManifest)
	if err != nil {
		return Manifest{}, failure("read the artifact's manifest", err)
	}
	return ParseManifest(data)
}

// Materialise returns the absolute path of the read-only tree of a manifest and
// makes it if it is not there yet. Files have mode 0444 or, if executable, 0555;
// directories 0555. Every blob is verified while the tree is made, and the tree
// appears whole, by a rename. Several callers at once get the same tree.
//
// A file that is not executable is a hard link to its blob, so that a large model
// is on disk once; an executable one is a copy, since links share a mode. A
// process that overrides the modes, such as one of root's, could thus change a
// blob through a tree: instances see trees through a read-only mount, and what is
// read from the store later is verified again.
func (s *Store) Materialise(ctx context.Context, digest fairlead.Digest) (string, error) {
	const op = "materialise the artifact"
	if !digest.Valid() {
		return "", malformed(digest)
	}
	tree := filepath.Join(s.dir, "trees", digest.Hex())
	if info, err := os.Lstat(tree); err == nil && info.IsDir() {
		return tree, nil
	}
	m, err := s.Manifest(digest)
	if err != nil {
		return "", err
	}
	// Beside the tree's own place: a directory that may not be written to can be
	// renamed only where it is.
	making, err := os.MkdirTemp(filepath.Join(s.dir, "trees"), ".making-")
	if err != nil {
		return "", failure(op, err)
	}
	if err := s.make(ctx, making, m); err != nil {
		_ = RemoveTree(making) // Sweep finds it
		return "", failure(op+" "+digest.Short(), err)
	}
	if err := os.Rename(making, tree); err != nil {
		_ = RemoveTree(making) // Sweep finds it
		if info, statErr := os.Lstat(tree); statErr == nil && info.IsDir() {
			return tree, nil // another caller was faster
		}
		return "", failure(op, err)
	}
	return tree, failureOrNil(op, atomicfile.SyncDir(filepath.Dir(tree)))
}

func failureOrNil(op string, err error) error {
	if err == nil {
		return nil
	}
	return failure(op, err)
}

// make fills the directory top with the files of m and makes it read-only.
func (s *Store) make(ctx context.Context, top string, m Manifest) error {
	dirs := directories(m)
	for _, dir := range dirs {
		if err := os.Mkdir(filepath.Join(top, filepath.FromSlash(dir)), 0o700); err != nil {
			return err
		}
	}
	for _, f := range m.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.place(ctx, filepath.Join(top, filepath.FromSlash(f.Path)), f); err != nil {
			return err
		}
	}
	for _, dir := range slices.Backward(dirs) {
		if err := seal(filepath.Join(top, filepath.FromSlash(dir))); err != nil {
			return err
		}
	}
	return seal(top)
}

func seal(dir string) error { return errors.Join(os.Chmod(dir, 0o555), atomicfile.SyncDir(dir)) }

// directories returns the directories that the files of m need, parents first.
func directories(m Manifest) []string {
	seen := map[string]bool{}
	var dirs []string
	for _, f := range m.Files {
		for dir := path.Dir(f.Path); dir != "." && !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
			dirs = append(dirs, dir)
		}
	}
	slices.Sort(dirs)
	return dirs
}

func (s *Store) place(ctx context.Context, path string, f File) error {
	if f.Link != "" {
		return os.Symlink(filepath.FromSlash(f.Link), path)
	}
	blob, err := s.Open(f.Digest)
	if err != nil {
		return err
	}
	defer blob.Close()
	if !f.Executable {
		if err := copyAll(ctx, io.Discard, blob, f); err != nil {
			return err
		}
		if err := os.Link(s.blobPath(f.Digest), path); err == nil || errors.Is(err, fs.ErrExist) {
			return err
		}
		// A file system has its reasons, such as a most number of links: copy.
		if blob, err = s.Open(f.Digest); err != nil {
			return err
		}
		defer blob.Close()
	}
	return copyOut(ctx, path, blob, f)
}

// copyAll reads a blob to its end, which verifies it, and compares its size.
func copyAll(ctx context.Context, w io.Writer, blob io.Reader, f File) error {
	n, err := io.Copy(w, reader{ctx, blob})
	if err == nil && n != f.Size {
		err = refuse("%q has %d bytes, not %d", f.Path, n, f.Size)
	}
	return err
}

func copyOut(ctx context.Context, path string, blob io.Reader, f File) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = copyAll(ctx, file, blob, f)
	mode := fs.FileMode(0o444)
	if f.Executable {
		mode = 0o555
	}
	if err == nil {
		err = errors.Join(file.Chmod(mode), file.Sync())
	}
	return errors.Join(err, file.Close())
}
