package images

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/artifact"
	"github.com/fairlead/fairlead/workload/container"
)

// archives keep images in the content store.
type archives struct{ trees *artifact.Store }

// load loads an image from the content store: from an archive as it was uploaded,
// or from the files of one.
func (a archives) load(ctx context.Context, engine *container.Engine, tree fairlead.Digest, tell func(fairlead.Progress)) (fairlead.Digest, error) {
	m, err := a.trees.Manifest(tree)
	if err != nil {
		return "", err
	}
	if len(m.Files) == 1 && m.Files[0].Link == "" {
		return engine.Load(ctx, container.ReadTar(func() (io.ReadCloser, error) { return a.trees.Open(m.Files[0].Digest) }), tell)
	}
	return engine.Load(ctx, entriesOf(a.trees, m), tell)
}

// entriesOf reads an archive whose files are in the content store one by one, as save
// put them there.
func entriesOf(trees *artifact.Store, m artifact.Manifest) container.Entries {
	return func(each func(container.Entry) error) error {
		for _, f := range m.Files {
			if err := entry(trees, f, each); err != nil {
				return err
			}
		}
		return nil
	}
}

func entry(trees *artifact.Store, f artifact.File, each func(container.Entry) error) error {
	if f.Link != "" {
		return fairlead.Errorf(fairlead.Corrupt, "read a kept image", "%q is a link", f.Path)
	}
	blob, err := trees.Open(f.Digest)
	if err != nil {
		return err
	}
	defer blob.Close()
	return each(container.Entry{Name: f.Path, Size: f.Size, Content: blob})
}

// save puts an image that no registry has into the content store, so that a
// release can be brought back when the engine has lost it. Layers that images share
// are there once.
func (a archives) save(ctx context.Context, engine *container.Engine, image container.Image, tell func(fairlead.Progress)) (fairlead.Digest, error) {
	links := map[string]string{}
	files := map[string]artifact.File{}
	var done int64
	err := engine.Save(ctx, image.ID)(func(e container.Entry) error {
		if e.Link != "" {
			links[e.Name] = e.Link
			return nil
		}
		digest, size, err := a.trees.Put(ctx, e.Content)
		files[e.Name] = artifact.File{Path: e.Name, Size: size, Digest: digest}
		done += size
		tell(fairlead.Progress{
			Doing: "keeping the image, which no registry has", Done: min(done, image.Bytes), Total: image.Bytes,
			Percent: min(100, 100*float64(done)/float64(max(1, image.Bytes))),
		})
		return err
	})
	if err != nil {
		return "", err
	}
	for name, to := range links {
		if file, ok := files[to]; ok {
			files[name] = artifact.File{Path: name, Size: file.Size, Digest: file.Digest}
		}
	}
	var m artifact.Manifest
	for _, file := range files {
		m.Files = append(m.Files, file)
	}
	slices.SortFunc(m.Files, func(one, other artifact.File) int { return strings.Compare(one.Path, other.Path) })
	return a.trees.PutManifest(ctx, m)
}
