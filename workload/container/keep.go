package container

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/fairlead/fairlead"
)

// Tag gives an image another name, such as "localhost/fairlead/triage:3". One that
// has the name loses it.
func (e *Engine) Tag(ctx context.Context, id fairlead.Digest, name string) error {
	if _, err := e.api.ImageTag(ctx, client.ImageTagOptions{Source: string(id), Target: name}); err != nil {
		return e.failed("name the image "+name, err)
	}
	return nil
}

// Tags returns the names of images that begin with a prefix, sorted.
func (e *Engine) Tags(ctx context.Context, prefix string) ([]string, error) {
	all, err := e.api.ImageList(ctx, client.ImageListOptions{})
	if err != nil {
		return nil, e.failed("list images", err)
	}
	var names []string
	for _, image := range all.Items {
		for _, name := range image.RepoTags {
			if strings.HasPrefix(name, prefix) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names, nil
}

// Nameless returns the images that have no name and of which no other image was made.
func (e *Engine) Nameless(ctx context.Context) (map[fairlead.Digest]bool, error) {
	all, err := e.api.ImageList(ctx, client.ImageListOptions{})
	if err != nil {
		return nil, e.failed("list images", err)
	}
	nameless := map[fairlead.Digest]bool{}
	for _, image := range all.Items {
		if !named(image.RepoTags) && !named(image.RepoDigests) {
			nameless[digestOf(image.ID)] = true
		}
	}
	return nameless, nil
}

// named reports whether one of an image's tags or digests is more than a placeholder.
func named(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return !strings.HasPrefix(name, "<none>") })
}

// Untag takes a name from an image; an image without any goes, unless a container
// has it. A name that is not there is no error.
func (e *Engine) Untag(ctx context.Context, name string) error {
	_, err := e.api.ImageRemove(ctx, name, client.ImageRemoveOptions{PruneChildren: true})
	if err == nil || errdefs.IsNotFound(err) {
		return nil
	}
	if errdefs.IsConflict(err) {
		return fairlead.Errorf(fairlead.Conflict, "remove the image "+name, "%w", said{err})
	}
	return e.failed("remove the image "+name, err)
}

// maxExtracted is the most bytes of one file that is taken out of an image: those of
// the largest file of an artifact.
const maxExtracted = 20 << 30

// Extract copies files out of an image: each of its absolute paths to a new file of
// this machine. Links in the image are not followed. What is made for it in the
// engine is labelled with the owner of root, the runtime's directory, never started,
// and removed: by a sweep, where this process ends before.
//
// Errors: invalid for a path at which the image has no regular file.
func (e *Engine) Extract(ctx context.Context, id fairlead.Digest, root string, files map[string]string) (err error) {
	owner, err := Owner(root)
	if err != nil {
		return err
	}
	if err := e.Remember(root); err != nil {
		return err
	}
	made, err := e.api.ContainerCreate(ctx, client.ContainerCreateOptions{Config: &container.Config{
		Image: string(id), Entrypoint: []string{"/"}, Cmd: []string{}, Labels: map[string]string{LabelOwner: owner},
		NetworkDisabled: true,
	}})
	if err != nil {
		return e.failed("read the image", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		_, removing := e.api.ContainerRemove(ctx, made.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		err = errors.Join(err, removing)
	}()
	for from, to := range files {
		if err := (unstarted{e, made.ID}).extract(ctx, from, to); err != nil {
			return err
		}
	}
	return nil
}

// unstarted is a container that is made to look into its image.
type unstarted struct {
	engine *Engine
	id     string
}

// extract copies one file.
func (u unstarted) extract(ctx context.Context, from, to string) error {
	op := "read " + from + " of the image"
	found, err := u.engine.api.CopyFromContainer(ctx, u.id, client.CopyFromContainerOptions{SourcePath: from})
	if errdefs.IsNotFound(err) {
		return fairlead.Errorf(fairlead.Invalid, "", "the image has no file %s, which the App file names", from).
			WithHint("paths are relative to the image's WORKDIR")
	}
	if err != nil {
		return u.engine.failed(op, err)
	}
	defer found.Content.Close()
	entries := tar.NewReader(io.LimitReader(found.Content, maxExtracted+1<<20))
	header, err := entries.Next()
	if err != nil {
		return fairlead.Errorf(fairlead.Unavailable, op, "what the engine sends cannot be read: %w", err)
	}
	if header.Typeflag != tar.TypeReg || header.Size > maxExtracted {
		return fairlead.Errorf(fairlead.Invalid, "", "%s is no regular file in the image, or too large", from).
			WithHint("name files, not directories or links")
	}
	file, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	_, err = io.CopyN(file, entries, header.Size)
	if header.Mode&0o111 != 0 {
		err = errors.Join(err, file.Chmod(0o700))
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return nil
}
