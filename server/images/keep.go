package images

import (
	"context"
	"fmt"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload/container"
)

// keeper sees to it that an engine has the images of releases, by names that say whose
// they are, and no others by such names.
type keeper struct {
	root     string // the directory of the runtime, whose owner is in the names
	fetcher  fetcher
	archives archives
}

// prefix begins every name by which an engine keeps an image for us.
const prefix = "localhost/fairlead/"

// keepName is the name by which the engine keeps a release's image. It belongs to
// this installation, for others may use the same engine.
func keepName(app string, number int, owner string) string {
	return fmt.Sprintf("%s%s:%d%s", prefix, app, number, suffix(owner))
}

// suffix ends every name by which an engine keeps an image for this installation.
func suffix(owner string) string { return "-" + owner[:12] }

// keep names a release's image in the engine.
func (k keeper) keep(ctx context.Context, engine *container.Engine, r fairlead.Release) error {
	owner, err := container.Owner(k.root)
	if err != nil {
		return err
	}
	return engine.Tag(ctx, r.Content.Image.ID, keepName(r.App, r.Number, owner))
}

// provide sees to it that the engine has a release's image, and keeps it.
func (k keeper) provide(ctx context.Context, engine *container.Engine, r fairlead.Release, env string) error {
	_, err := engine.Image(ctx, string(r.Content.Image.ID))
	if fairlead.CodeOf(err) == fairlead.NotFound {
		err = k.restore(ctx, engine, r, env)
	}
	if err != nil {
		return err
	}
	return k.keep(ctx, engine, r)
}

// restore brings an image back that the engine has lost.
func (k keeper) restore(ctx context.Context, engine *container.Engine, r fairlead.Release, env string) error {
	image, op := r.Content.Image, "bring back the image of "+r.Name()
	tell := func(fairlead.Progress) {} // nobody waits for it
	var err error
	switch {
	case image.Pinned != "":
		_, err = k.fetcher.pull(ctx, engine, wanted{login: login{env, r.Credentials}, tell: tell}, image.Pinned, false)
	case r.Kept != "":
		_, err = k.archives.load(ctx, engine, r.Kept, tell)
	default:
		return fairlead.Errorf(fairlead.Conflict, op, "%s has it no more, and no registry and no archive has it: %s was an image of this machine alone", engine.Name, image.Reference).
			WithHint("build or load it again, and deploy: that is a new release unless it is the very same image")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if _, err := engine.Image(ctx, string(image.ID)); err != nil {
		return fmt.Errorf("%s: %s has become another: %w", op, image.Reference, err)
	}
	return nil
}

// names are those by which the engine keeps the images of releases.
func (k keeper) names(releases []fairlead.Release) (map[string]bool, error) {
	owner, err := container.Owner(k.root)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, r := range releases {
		if r.Content.Image != nil {
			names[keepName(r.App, r.Number, owner)] = true
		}
	}
	return names, nil
}

// untag takes all names of this installation from images but those that are needed.
func (k keeper) untag(ctx context.Context, engine *container.Engine, needed func(name string) bool) error {
	owner, err := container.Owner(k.root)
	if err != nil {
		return err
	}
	names, err := engine.Tags(ctx, prefix)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasSuffix(name, suffix(owner)) && !needed(name) {
			if err := engine.Untag(ctx, name); err != nil {
				return err
			}
		}
	}
	return nil
}
