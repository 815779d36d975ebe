package images

import (
	"context"
	"fmt"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload/container"
)

// fetcher gets images that are named, as their registries or this machine have them.
type fetcher struct {
	pulls   *pulls
	logins  logins
	fetched *fetched
}

// wanted is an image that is named by tag or digest.
type wanted struct {
	reference string
	login     login
	tell      func(fairlead.Progress)
}

// fetch returns an image as its registry or this machine has it now.
func (f fetcher) fetch(ctx context.Context, engine *container.Engine, w wanted) (found, error) {
	repository, version := container.Split(w.reference)
	name, byDigest := repository+":"+version, fairlead.Digest(version).Valid()
	if byDigest {
		name = repository + "@" + version
	}
	here, err := engine.Image(ctx, name)
	has := err == nil
	if err != nil && fairlead.CodeOf(err) != fairlead.NotFound {
		return found{}, err
	}
	if has && byDigest {
		return found{Image: here, pinned: container.Pinned(repository, version)}, nil
	}
	if has && here.PinnedIn(repository) == "" {
		// To ask a registry for the name of what was built here could fetch a stranger's.
		w.tell(fairlead.Progress{Note: w.reference + " is an image of this machine: no registry was asked for it"})
		return found{Image: here}, nil
	}
	digest, err := f.pull(ctx, engine, w, name, has)
	if err != nil && has && ctx.Err() == nil && (engine.Podman() || fairlead.CodeOf(err) == fairlead.Unavailable) {
		w.tell(fairlead.Progress{Note: fmt.Sprintf("%v; the image that this machine has by that name is taken", err)})
		if engine.Podman() { // it gives what was built here a registry's name too
			return found{Image: here}, nil
		}
		return found{Image: here, pinned: here.PinnedIn(repository)}, nil
	}
	if err != nil {
		return found{}, err
	}
	if here, err = engine.Image(ctx, name); err != nil {
		return found{}, err
	}
	if digest != "" {
		return found{Image: here, pinned: container.Pinned(repository, string(digest))}, nil
	}
	return found{Image: here, pinned: here.PinnedIn(repository)}, nil
}

// pull fetches an image by its whole name; where this machine has one of that name
// already, a registry that is away is not waited for.
func (f fetcher) pull(ctx context.Context, engine *container.Engine, w wanted, name string, has bool) (fairlead.Digest, error) {
	credentials, err := f.logins.of(ctx, w.login, name)
	if err != nil {
		return "", err
	}
	order := container.Pull{Name: name, Credentials: credentials, Tell: w.tell}
	if has {
		order.Attempts = 1
	}
	digest, err := f.pulls.pull(ctx, engine, order)
	if err != nil {
		return "", err
	}
	return digest, f.note(ctx, engine, name, digest, has)
}

// note keeps under which names the engine has an image because of us.
func (f fetcher) note(ctx context.Context, engine *container.Engine, name string, digest fairlead.Digest, has bool) error {
	if has {
		if ours, err := f.fetched.has(engine.Host, name); err != nil || !ours {
			return err
		}
	}
	image, err := engine.Image(ctx, name)
	if err != nil {
		return err
	}
	if err := f.fetched.note(fetchedName{engine.Host, name, image.ID}); err != nil || digest == "" || engine.Podman() {
		return err
	}
	// Docker has it by its digest too, also when the tag has gone on to another image.
	repository, _ := container.Split(name)
	return f.fetched.note(fetchedName{engine.Host, container.Pinned(repository, string(digest)), image.ID})
}
