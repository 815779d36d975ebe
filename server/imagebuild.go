package server

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/app"
	"github.com/fairlead/fairlead/artifact"
	"github.com/fairlead/fairlead/release"
	"github.com/fairlead/fairlead/workload/container"
)

// buildWithin is the longest that the build of an image may take.
const buildWithin = 30 * time.Minute

// built builds the image of an App file's Dockerfile from the context that was
// uploaded with it.
func (i *images) built(ctx context.Context, engine *container.Engine, m release.Making) (made, error) {
	a := m.App.Spec.Artifact
	if m.Tree == "" {
		return made{}, fairlead.Errorf(fairlead.Invalid, "", "the context of %s was not uploaded", a.Dockerfile).WithHint("deploy with: fairlead deploy -f FILE")
	}
	tree, err := i.trees.Manifest(m.Tree)
	if err != nil {
		return made{}, err
	}
	dockerfile, err := readDockerfile(i.trees, tree, app.BuildFile(a))
	if err != nil {
		return made{}, err
	}
	bases, online, err := i.bases(ctx, engine, m, dockerfile)
	if err != nil {
		return made{}, err
	}
	found, log, err := i.build(ctx, engine, m, tree, online)
	if err != nil {
		return made{}, err
	}
	buildLog, _, err := i.trees.Put(ctx, bytes.NewReader(log))
	if err != nil {
		return made{}, fmt.Errorf("store the build's log: %w", err)
	}
	return made{Image: found, bases: bases, buildLog: buildLog}, nil
}

func (i *images) build(ctx context.Context, engine *container.Engine, m release.Making, tree artifact.Manifest, online bool) (container.Image, []byte, error) {
	m.Tell(fairlead.Progress{Doing: "building the image", Detail: "sending its context"})
	from, to := io.Pipe()
	wrote := make(chan error, 1)
	go func() { // ends with the build, which closes the pipe
		err := pack(i.trees, tree, to)
		_ = to.CloseWithError(err)
		wrote <- err
	}()
	id, log, err := engine.Build(ctx, container.Build{
		Context: from, Dockerfile: app.BuildFile(m.App.Spec.Artifact), Online: online, Within: buildWithin, Tell: m.Tell,
	})
	_ = from.CloseWithError(errBuilt)
	if packing := <-wrote; packing != nil && !errors.Is(packing, errBuilt) {
		return container.Image{}, nil, fmt.Errorf("send the build its context: %w", packing)
	}
	if err != nil && len(log) > 0 {
		return container.Image{}, nil, fairlead.Errorf(fairlead.CodeOf(err), "", "%w; the end of its log:\n%s", err, log[max(0, len(log)-2000):]).
			WithHint("%s", fairlead.HintOf(err))
	}
	if err != nil {
		return container.Image{}, nil, err
	}
	found, err := engine.Image(ctx, string(id))
	return found, log, err
}

// errBuilt ends the writing of what nobody reads any more.
var errBuilt = errors.New("the build has ended")

// readDockerfile reads the Dockerfile of a context.
func readDockerfile(trees *artifact.Store, tree artifact.Manifest, name string) ([]byte, error) {
	file, ok := tree.Find(name)
	if !ok || file.Link != "" || file.Size > container.MaxDockerfile {
		return nil, fairlead.Errorf(fairlead.Invalid, "", "the context that was uploaded has no file %s of at most %d bytes", name, container.MaxDockerfile).
			WithHint("deploy again: the file must be there, and no link")
	}
	blob, err := trees.Open(file.Digest)
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	return io.ReadAll(blob)
}

// bases sees to it that the images are there that a Dockerfile begins with, and says
// which they are. With one from a registry the build is online: its commands, such
// as those that install packages, reach what the machine reaches.
func (i *images) bases(ctx context.Context, engine *container.Engine, m release.Making, dockerfile []byte) (bases map[string]string, online bool, err error) {
	names, err := container.Bases(dockerfile)
	if err != nil || len(names) == 0 {
		return nil, false, err
	}
	if err := i.forAll(ctx, m, names); err != nil {
		return nil, false, err
	}
	bases = map[string]string{}
	for _, name := range names {
		order := m
		order.App.Spec.Artifact = fairlead.Artifact{Image: name, Credentials: m.App.Spec.Artifact.Credentials}
		found, err := i.fetched(ctx, engine, order)
		if err != nil {
			return nil, false, fmt.Errorf("the base image %s: %w", name, err)
		}
		if err := found.Fetches(); err != nil {
			return nil, false, fmt.Errorf("the base image %s: %w", name, err)
		}
		if bases[name] = found.pinned; found.pinned == "" {
			bases[name] = string(found.ID)
		}
		online = online || found.pinned != ""
	}
	return bases, online, nil
}

// forAll refuses credentials that would be shown to more registries than they are for.
func (i *images) forAll(ctx context.Context, m release.Making, names []string) error {
	secret := m.App.Spec.Artifact.Credentials
	if secret == "" {
		return nil
	}
	value, err := i.reveal(ctx, m.Env, secret)
	if err != nil {
		return fmt.Errorf("credentials of the registry: %w", err)
	}
	defer clear(value)
	return container.ForAll(value, names)
}

// pack writes a context as a tar stream. Times and owners are always the same, so
// that the engine finds what it has built before.
func pack(trees *artifact.Store, tree artifact.Manifest, w io.Writer) error {
	out := tar.NewWriter(w)
	seen := map[string]bool{}
	for _, f := range tree.Files {
		if err := packDirs(out, path.Dir(f.Path), seen); err != nil {
			return err
		}
		if err := packFile(trees, out, f); err != nil {
			return err
		}
	}
	return out.Close()
}

func packDirs(out *tar.Writer, dir string, seen map[string]bool) error {
	if dir == "." || seen[dir] {
		return nil
	}
	if err := packDirs(out, path.Dir(dir), seen); err != nil {
		return err
	}
	seen[dir] = true
	return out.WriteHeader(&tar.Header{Name: dir + "/", Mode: 0o755, Typeflag: tar.TypeDir, ModTime: time.Unix(0, 0)})
}

func packFile(trees *artifact.Store, out *tar.Writer, f artifact.File) error {
	header := &tar.Header{Name: f.Path, Mode: 0o644, Size: f.Size, Typeflag: tar.TypeReg, ModTime: time.Unix(0, 0)}
	if f.Executable {
		header.Mode = 0o755
	}
	if f.Link != "" {
		header.Typeflag, header.Linkname, header.Mode = tar.TypeSymlink, f.Link, 0o777
		return out.WriteHeader(header)
	}
	if err := out.WriteHeader(header); err != nil {
		return err
	}
	blob, err := trees.Open(f.Digest)
	if err != nil {
		return err
	}
	defer blob.Close()
	_, err = io.Copy(out, blob)
	return err
}
