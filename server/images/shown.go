package images

import (
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/artifact"
	"github.com/fairlead/fairlead/workload/container"
)

// imageFile is the file of a release in which its image says what it is.
const imageFile = "image.json"

// shown makes the trees by which releases show what is in their images.
type shown struct {
	trees   *artifact.Store
	root    string // the directory of the runtime
	scratch string
}

// tree stores what a release shows of an image: what it says of itself, and the files
// that the App file names.
func (s shown) tree(ctx context.Context, engine *container.Engine, image container.Image, spec fairlead.AppSpec) (digest fairlead.Digest, err error) {
	dir, err := os.MkdirTemp(s.scratch, "image-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.WriteFile(filepath.Join(dir, imageFile), image.Config, 0o600); err != nil {
		return "", err
	}
	if err := s.extract(ctx, engine, image, slices.Concat(spec.Model, spec.Prompt, spec.Config), dir); err != nil {
		return "", err
	}
	digest, _, err = s.trees.PutTree(ctx, dir)
	return digest, err
}

// extract copies files of an image into dir. A relative path begins at the image's
// working directory, as it does for the app.
func (s shown) extract(ctx context.Context, engine *container.Engine, image container.Image, named []string, dir string) error {
	if len(named) == 0 {
		return nil
	}
	files := map[string]string{} // in the image -> on disk
	for _, name := range named {
		if path.Clean(name) == imageFile {
			return fairlead.Errorf(fairlead.Invalid, "", "%s is where a release shows its image's configuration", imageFile).WithHint("call the file otherwise")
		}
		files[path.Join("/", image.WorkDir, name)] = filepath.Join(dir, filepath.FromSlash(name))
	}
	for _, to := range files {
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
	}
	return engine.Extract(ctx, image.ID, s.root, files)
}
