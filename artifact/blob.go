package artifact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/atomicfile"
)

// MaxBlob is the most bytes that one blob may have.
const MaxBlob = 20 << 30

// Put stores what r yields, durably, and returns its digest and size. Storing what
// is there already is no error.
func (s *Store) Put(ctx context.Context, r io.Reader) (fairlead.Digest, int64, error) {
	return s.put(ctx, "", r)
}

// PutExpect stores what r yields if its digest is digest, and is an error of code
// invalid, which leaves nothing behind, if it is not.
func (s *Store) PutExpect(ctx context.Context, digest fairlead.Digest, r io.Reader) error {
	if !digest.Valid() {
		return malformed(digest)
	}
	_, _, err := s.put(ctx, digest, r)
	return err
}

func (s *Store) put(ctx context.Context, expect fairlead.Digest, r io.Reader) (fairlead.Digest, int64, error) {
	const op = "store a blob"
	file, err := os.CreateTemp(filepath.Join(s.dir, "tmp"), "blob-")
	if err != nil {
		return "", 0, failure(op, err)
	}
	defer os.Remove(file.Name()) // of no effect after the rename
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(file, sum), io.LimitReader(reader{ctx, r}, MaxBlob+1))
	if err == nil && size > MaxBlob {
		err = fairlead.Errorf(fairlead.Invalid, op, "it has more than %d bytes", int64(MaxBlob))
	}
	digest := digestOf(sum)
	if err == nil && expect != "" && digest != expect {
		err = fairlead.Errorf(fairlead.Invalid, op, "the content's digest is %s, not %s", digest, expect)
	}
	if err == nil {
		err = errors.Join(file.Chmod(0o444), file.Sync())
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return "", 0, failure(op, err)
	}
	if err := s.adopt(file.Name(), digest); err != nil {
		return "", 0, failure(op, err)
	}
	return digest, size, nil
}

// adopt gives a synced file its name in the store.
func (s *Store) adopt(file string, digest fairlead.Digest) error {
	path := s.blobPath(digest)
	dir := filepath.Dir(path)
	if err := os.Mkdir(dir, 0o700); err == nil {
		if err := atomicfile.SyncDir(filepath.Dir(dir)); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := os.Rename(file, path); err != nil {
		return err
	}
	return atomicfile.SyncDir(dir)
}

func (s *Store) blobPath(digest fairlead.Digest) string {
	return filepath.Join(s.dir, "blobs", digest.Hex()[:2], digest.Hex())
}

// Has reports whether a blob is stored, without reading it.
func (s *Store) Has(digest fairlead.Digest) bool {
	if !digest.Valid() {
		return false
	}
	info, err := os.Lstat(s.blobPath(digest))
	return err == nil && info.Mode().IsRegular()
}

// Missing returns those of digests that are not stored, each once, in order.
func (s *Store) Missing(ctx context.Context, digests []fairlead.Digest) ([]fairlead.Digest, error) {
	var missing []fairlead.Digest
	seen := map[fairlead.Digest]bool{}
	for _, digest := range digests {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !digest.Valid() {
			return nil, malformed(digest)
		}
		if !seen[digest] && !s.Has(digest) {
			missing = append(missing, digest)
		}
		seen[digest] = true
	}
	return missing, nil
}

// Open opens a blob for reading; the caller closes it. The end of the content is
// reported only if it is what its digest says: otherwise the last Read returns an
// error of code corrupt in place of io.EOF. Whoever does not read to the end has
// verified nothing.
func (s *Store) Open(digest fairlead.Digest) (io.ReadCloser, error) {
	if !digest.Valid() {
		return nil, malformed(digest)
	}
	file, err := os.Open(s.blobPath(digest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fairlead.Errorf(fairlead.NotFound, "read a blob", "%s is not in the artifact store", digest)
	}
	if err != nil {
		return nil, failure("read a blob", err)
	}
	return &verified{file: file, sum: sha256.New(), want: digest}, nil
}

// read returns a whole blob of at most limit bytes, verified.
func (s *Store) read(digest fairlead.Digest, limit int64) ([]byte, error) {
	blob, err := s.Open(digest)
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	data, err := io.ReadAll(io.LimitReader(blob, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s has more than %d bytes", digest, limit)
	}
	return data, err
}

// verified is a blob that is checked while it is read.
type verified struct {
	file *os.File
	sum  hash.Hash
	want fairlead.Digest
}

func (v *verified) Read(p []byte) (int, error) {
	n, err := v.file.Read(p)
	v.sum.Write(p[:n]) // never fails
	if errors.Is(err, io.EOF) {
		if got := digestOf(v.sum); got != v.want {
			return n, fairlead.Errorf(fairlead.Corrupt, "read a blob", "the content of %s has digest %s", v.want, got).
				WithHint("remove %s and deploy again", v.file.Name())
		}
	}
	return n, err
}

func (v *verified) Close() error { return v.file.Close() }

// reader ends when its context does.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

func digestOf(sum hash.Hash) fairlead.Digest {
	return fairlead.Digest("sha256:" + hex.EncodeToString(sum.Sum(nil)))
}

func malformed(digest fairlead.Digest) error {
	return fairlead.Errorf(fairlead.Invalid, "", "%q is not a digest", digest)
}
