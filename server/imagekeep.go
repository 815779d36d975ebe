package server

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload/container"
)

// imageFile is the file of a release in which its image says what it is.
const imageFile = "image.json"

// extract copies files of an image into dir. A relative path begins at the image's
// working directory, as it does for the app.
func (i *images) extract(ctx context.Context, engine *container.Engine, image container.Image, named []string, dir string) error {
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
	return engine.Extract(ctx, image.ID, i.state, files)
}

// keepName is the name by which the engine keeps a release's image. It belongs to
// this installation, for others may use the same engine.
func keepName(app string, number int, owner string) string {
	return fmt.Sprintf("%s%s:%d-%s", keepPrefix, app, number, owner[:12])
}

const keepPrefix = "localhost/fairlead/"

// keep names a release's image in the engine, so that it stays there while others
// are cleaned up.
func (i *images) keep(ctx context.Context, r fairlead.Release) error {
	if r.Content.Image == nil {
		return nil
	}
	engine, err := i.engine(ctx)
	if err != nil {
		return err
	}
	owner, err := container.Owner(i.state)
	if err != nil {
		return err
	}
	return engine.Tag(ctx, r.Content.Image.ID, keepName(r.App, r.Number, owner))
}

// hold sees to it that the engine has a release's image, and keeps it.
func (i *images) hold(ctx context.Context, engine *container.Engine, r fairlead.Release, env string) error {
	image := r.Content.Image
	_, err := engine.Image(ctx, string(image.ID))
	if fairlead.CodeOf(err) == fairlead.NotFound {
		err = i.restore(ctx, engine, r, env)
	}
	if err != nil {
		return err
	}
	return i.keep(ctx, r)
}

// restore brings an image back that the engine has lost.
func (i *images) restore(ctx context.Context, engine *container.Engine, r fairlead.Release, env string) error {
	image, op := r.Content.Image, "bring back the image of "+r.Name()
	switch {
	case image.Pinned != "":
		credentials, err := i.credentials(ctx, r.Credentials, env, image.Pinned)
		if err == nil {
			_, err = i.pulls.pull(ctx, engine, container.Pull{Name: image.Pinned, Credentials: credentials})
		}
		if err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
	case r.Kept != "":
		if _, err := i.load(ctx, engine, r.Kept, func(fairlead.Progress) {}); err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
	default:
		return fairlead.Errorf(fairlead.Conflict, op, "%s has it no more, and no registry and no archive has it: %s was an image of this machine alone", engine.Name, image.Reference).
			WithHint("build or load it again, and deploy: that is a new release unless it is the very same image")
	}
	if _, err := engine.Image(ctx, string(image.ID)); err != nil {
		return fmt.Errorf("%s: %s has become another: %w", op, image.Reference, err)
	}
	return nil
}

// sweep takes our names from images in the engine that none of the releases has.
// Without a release in containers no engine is asked.
func (i *images) sweep(ctx context.Context, releases []fairlead.Release) error {
	return i.untag(ctx, releases, false)
}

// forget takes all our names from images in the engine: a release that starts again
// brings its image back, from its registry or the content store.
func (i *images) forget(ctx context.Context, releases []fairlead.Release) error {
	return i.untag(ctx, releases, true)
}

func (i *images) untag(ctx context.Context, releases []fairlead.Release, all bool) error {
	owner, err := container.Owner(i.state)
	if err != nil {
		return err
	}
	contained, needed := false, map[string]bool{}
	for _, r := range releases {
		if r.Content.Image != nil {
			contained, needed[keepName(r.App, r.Number, owner)] = true, !all
		}
	}
	if !contained {
		return nil
	}
	engine, err := i.engine(ctx)
	if err != nil {
		return err
	}
	names, err := engine.Tags(ctx, keepPrefix)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasSuffix(name, "-"+owner[:12]) && !needed[name] {
			if err := engine.Untag(ctx, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// sweepImages is images.sweep beside everything else: an engine may be slow or away.
func (s *control) sweepImages(ctx context.Context) {
	releases, err := s.allReleases(ctx)
	if err == nil {
		err = s.images.sweep(ctx, releases)
	}
	if err != nil && ctx.Err() == nil {
		s.Log.Warn("images that no release has were not looked for; the next start looks again", "error", err)
	}
}

// forgetImages is images.forget, for the end of everything. What an engine that is
// away keeps is named by our prefix.
func (s *control) forgetImages() error {
	if s.store == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	releases, err := s.allReleases(ctx)
	if err != nil {
		return err
	}
	if err := s.images.forget(ctx, releases); err != nil {
		return fairlead.Errorf(fairlead.Unavailable, "remove the names of images", "%w", err).
			WithHint("they begin with %s: docker image ls '%s*'", keepPrefix, keepPrefix)
	}
	return nil
}
