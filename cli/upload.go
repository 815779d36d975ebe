package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

const missingAtOnce = 5000 // digests that one question to the server names

// tree is a directory as it will be uploaded.
type tree struct {
	digest   fairlead.Digest // of manifest
	manifest []byte
	files    map[fairlead.Digest]string // path of a file with each content
}

// upload sends what the server does not hold yet of a directory, and returns the
// digest of the tree. The manifest goes last, so that a tree is never half there.
func (inv *invocation) upload(ctx context.Context, c *client.Client, dir string) (fairlead.Digest, error) {
	t, err := scan(dir)
	if err != nil {
		return "", err
	}
	digests := make([]fairlead.Digest, 0, len(t.files))
	for digest := range t.files {
		digests = append(digests, digest)
	}
	sent := 0
	for len(digests) > 0 {
		n := min(len(digests), missingAtOnce)
		missing, err := c.Missing(ctx, digests[:n])
		if err != nil {
			return "", err
		}
		for _, digest := range missing {
			if err := putFile(ctx, c, digest, t.files[digest]); err != nil {
				return "", err
			}
		}
		sent, digests = sent+len(missing), digests[n:]
	}
	if err := c.PutBlob(ctx, t.digest, bytes.NewReader(t.manifest)); err != nil {
		return "", err
	}
	if sent > 0 {
		inv.note("uploaded %d of %d files of %s", sent, len(t.files), dir)
	}
	return t.digest, nil
}

func putFile(ctx context.Context, c *client.Client, digest fairlead.Digest, path string) error {
	if path == "" {
		return fairlead.Errorf(fairlead.Internal, "upload", "the server asks for %s, which is not of this tree", digest)
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	defer f.Close()
	return c.PutBlob(ctx, digest, io.NopCloser(f))
}

// scan reads a directory.
func scan(dir string) (tree, error) {
	return tree{}, fairlead.Errorf(fairlead.Unsupported, "read "+dir, "package artifact is not here yet")
}
