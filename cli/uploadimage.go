package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/app"
	"github.com/fairlead/fairlead/artifact"
)

// uploadContext sends the context of a Dockerfile less what its .dockerignore leaves
// out, and the Dockerfile itself, wherever it is.
func (inv *invocation) uploadContext(ctx context.Context, c *client.Client, file string, a fairlead.Artifact, beside func(string) string) (fairlead.Digest, error) {
	dockerfile, dir := beside(a.Dockerfile), beside(app.Context(a))
	if !isDirectory(dir) {
		return "", fairlead.Errorf(fairlead.NotFound, "", "there is no directory %s", dir).
			WithHint("spec.artifact.context is what the Dockerfile copies from, relative to %s", file)
	}
	info, err := os.Stat(dockerfile)
	if err != nil {
		return "", unreadable(dockerfile, err)
	}
	if !info.Mode().IsRegular() {
		return "", fairlead.Errorf(fairlead.Invalid, "", "%s is no file", dockerfile).WithHint("spec.artifact.dockerfile names the file, relative to %s", file)
	}
	ignored, err := readIgnore(dir, dockerfile)
	if err != nil {
		return "", err
	}
	name := app.BuildFile(a)
	manifest, err := artifact.Scan(ctx, dir, artifact.Limits{Skip: func(path string, isDir bool) bool {
		return ignored.skips(path, isDir) && path != name && !strings.HasPrefix(name, path+"/")
	}})
	if err != nil {
		return "", err
	}
	if _, there := manifest.Find(name); !there {
		stray, err := describe(dockerfile, name)
		if err != nil {
			return "", err
		}
		manifest.Files = append(manifest.Files, stray)
		slices.SortFunc(manifest.Files, func(a, b artifact.File) int { return strings.Compare(a.Path, b.Path) })
	}
	return inv.send(ctx, c, manifest, dir, func(path string) string {
		if path == name {
			return dockerfile
		}
		return filepath.Join(dir, filepath.FromSlash(path))
	})
}

// uploadArchive sends the archive of an image.
func (inv *invocation) uploadArchive(ctx context.Context, c *client.Client, file, archive string) (fairlead.Digest, error) {
	info, err := os.Stat(archive)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fairlead.Errorf(fairlead.NotFound, "", "there is no archive %s", archive).
			WithHint("make it with: docker save IMAGE -o %s; spec.artifact.archive is relative to %s", filepath.Base(archive), file)
	}
	if err != nil {
		return "", unreadable(archive, err)
	}
	if !info.Mode().IsRegular() {
		return "", fairlead.Errorf(fairlead.Invalid, "", "%s is no file", archive).
			WithHint("an OCI layout in a directory is packed with: tar -C %s -cf image.tar .", archive)
	}
	if info.Size() > artifact.MaxBytes {
		return "", fairlead.Errorf(fairlead.Invalid, "", "%s has more than %d bytes", archive, int64(artifact.MaxBytes)).
			WithHint("push the image to a registry, and name it under spec.artifact.image")
	}
	described, err := describe(archive, filepath.Base(archive))
	if err != nil {
		return "", err
	}
	return inv.send(ctx, c, artifact.Manifest{Files: []artifact.File{described}}, archive, func(string) string { return archive })
}

// describe says what a file is in a tree, under a name.
func describe(file, name string) (artifact.File, error) {
	f, err := os.Open(file)
	if err != nil {
		return artifact.File{}, unreadable(file, err)
	}
	defer f.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	if err != nil {
		return artifact.File{}, fmt.Errorf("read %s: %w", file, err)
	}
	return artifact.File{Path: name, Size: size, Digest: fairlead.Digest("sha256:" + hex.EncodeToString(sum.Sum(nil)))}, nil
}
