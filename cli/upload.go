package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/artifact"
)

const missingAtOnce = 5000 // digests that one question to the server names

// upload sends what the server does not hold yet of a directory, and returns the
// digest of the tree. The manifest goes last, so that a tree is never half there.
func (inv *invocation) upload(ctx context.Context, c *client.Client, dir string) (fairlead.Digest, error) {
	manifest, err := artifact.Scan(ctx, dir, artifact.Limits{})
	if err != nil {
		return "", err
	}
	return inv.send(ctx, c, manifest, dir, func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) })
}

// send sends what the server does not hold yet of a tree, whose files are where at
// says; from is its name for people.
func (inv *invocation) send(ctx context.Context, c *client.Client, manifest artifact.Manifest, from string, at func(name string) string) (fairlead.Digest, error) {
	paths := map[fairlead.Digest]string{} // of one file with each content
	for _, f := range manifest.Files {
		if f.Link == "" {
			paths[f.Digest] = at(f.Path)
		}
	}
	sent, all := 0, manifest.Blobs()
	for part := range slices.Chunk(all, missingAtOnce) {
		missing, err := c.Missing(ctx, part)
		if err != nil {
			return "", err
		}
		for _, digest := range missing {
			if err := putFile(ctx, c, digest, paths[digest]); err != nil {
				return "", err
			}
		}
		sent += len(missing)
	}
	if err := c.PutBlob(ctx, manifest.Digest(), bytes.NewReader(manifest.JSON())); err != nil {
		return "", err
	}
	switch {
	case sent > 0 && len(all) == 1 && paths[all[0]] == from: // an archive
		inv.note("uploaded %s", from)
	case sent > 0:
		inv.note("uploaded %d of %d files of %s", sent, len(all), from)
	}
	return manifest.Digest(), nil
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
	return c.PutBlob(ctx, digest, f)
}
