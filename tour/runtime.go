package tour

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/examples/triage/release"
	"github.com/fairlead/fairlead/internal/imagetar"
	"github.com/fairlead/fairlead/workload/container"
)

// The ways in which a tour's releases run.
const (
	Process   = "process"   // in sandboxes, from directories
	Container = "container" // in containers of the machine's engine, from images
)

// labelTour marks the tour's images, so that its end removes them and no other.
const labelTour = "dev.fairlead.tour"

// engine finds the container engine that a tour with images needs.
func (t *tour) engine(ctx context.Context) error {
	if t.options.Runtime != Container {
		return nil
	}
	if err := container.RunsInContainers(t.options.Program); err != nil {
		return err
	}
	switch host := t.options.Engine; {
	case host == "":
		t.host = container.Find(t.options.Getenv)
	case filepath.IsAbs(host):
		t.host = "unix://" + host
	default:
		t.host = host
	}
	engine, err := container.Open(ctx, t.host)
	if err != nil {
		return err
	}
	t.view.say("Releases will be images, run by " + engine.Name + ".")
	return engine.Close()
}

// leave removes what the tour made in its engine, when nothing of it runs any more.
func (t *tour) leave(ctx context.Context) error {
	if t.host == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endingTime)
	defer cancel()
	engine, err := container.Open(ctx, t.host)
	if err != nil {
		return err
	}
	var homes error
	for _, kind := range []string{"instances", "jobs"} { // whose containers are swept, however their shims ended
		homes = errors.Join(homes, removeTree(filepath.Join(t.stateDir(), "run", kind)))
	}
	return errors.Join(homes,
		container.Containers{}.Sweep(ctx, filepath.Join(t.stateDir(), "run")),
		engine.DiscardLabelled(ctx, labelTour, filepath.Base(t.dir)),
		engine.Close())
}

// artifact lays out a version and returns what its App file says of it: a directory,
// or an archive of an image that holds the same files.
func (t *tour) artifact(version string) (string, error) {
	dir := filepath.Join(t.dir, "releases", version)
	if err := release.Write(dir, t.options.Program, version); err != nil {
		return "", err
	}
	if t.options.Runtime != Container {
		return "{directory: ./" + version + "}", nil
	}
	archive := version + ".tar"
	if err := t.pack(dir, filepath.Join(t.dir, "releases", archive)); err != nil {
		return "", fmt.Errorf("make the image of %s: %w", version, err)
	}
	return "{archive: " + archive + "}", nil
}

// pack makes an image of a release's directory, which it removes.
func (t *tour) pack(dir, archive string) error {
	const inside = "srv/triage"
	image := imagetar.Image{Files: map[string]string{}, WorkDir: "/" + inside, Entrypoint: []string{"/" + inside + "/triage"},
		Labels: map[string]string{labelTour: filepath.Base(t.dir)}}
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, file)
		image.Files[path.Join(inside, filepath.ToSlash(rel))] = file
		return err
	})
	if err != nil {
		return err
	}
	to, err := os.OpenFile(archive, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(imagetar.Write(to, image), to.Close(), os.RemoveAll(dir))
}

// checkRuntime says what is wrong with how a tour is to run, or nothing.
func checkRuntime(runtime string) error {
	if runtime == "" || runtime == Process || runtime == Container {
		return nil
	}
	return fairlead.Errorf(fairlead.Invalid, "tour", "releases run as %s or in a %s, not as %q", Process, Container, runtime).
		WithHint("fairlead tour --runtime container")
}
