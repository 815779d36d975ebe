package images

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/release"
	"github.com/fairlead/fairlead/workload/container"
)

func TestOnlyOurNamesOfReleasesThatAreGoneAreTakenFromTheEngine(t *testing.T) {
	eachYard(t, func(y *yard) {
		y.build("localhost/mine:1", "mine")
		imaged := y.make(fairlead.Artifact{Image: "localhost/mine:1"}, "")
		kept, gone := y.released(imaged, 1), y.released(imaged, 2)
		for _, r := range []fairlead.Release{kept, gone} {
			if err := y.Keep(y.Context(), r); err != nil {
				y.Fatal(err)
			}
		}
		owner, err := container.Owner(y.root)
		if err != nil {
			y.Fatal(err)
		}
		others := []string{ // of another installation, and of a person
			keepName("triage", 2, strings.Repeat("0", 32)), prefix + "triage:2", "localhost/mine:1",
		}
		for _, name := range others[:2] {
			if err := y.engine.used().Tag(y.Context(), imaged.Image.ID, name); err != nil {
				y.Fatal(err)
			}
		}
		if err := y.Sweep(y.Context(), []fairlead.Release{kept}); err != nil {
			y.Fatal(err)
		}
		for _, name := range append(others, keepName("triage", 1, owner)) {
			if _, err := y.engine.used().Image(y.Context(), name); err != nil {
				y.Errorf("%s is gone: %v", name, err)
			}
		}
		if _, err := y.engine.used().Image(y.Context(), keepName("triage", 2, owner)); fairlead.CodeOf(err) != fairlead.NotFound {
			y.Errorf("the name of a release that is gone is there: %v", err)
		}
	})
}

func TestAnImageWhoseDeployComesToNothingLeavesTheEngine(t *testing.T) {
	eachYard(t, func(y *yard) {
		first := y.make(fairlead.Artifact{Dockerfile: "Dockerfile"}, y.upload("before"))
		site := fairlead.Site{App: "triage", Env: "production"}
		if err := y.Sweep(y.Context(), nil); err != nil {
			y.Fatal(err)
		}
		if names := y.names(); len(names) != 1 {
			y.Errorf("while its deploy is made the image is called %q", names)
		}
		if err := errors.Join(y.Made(y.Context(), site), y.Made(y.Context(), site)); err != nil {
			y.Fatal(err)
		}
		y.gone(first)

		// Made again, for a release.
		imaged := y.make(fairlead.Artifact{Dockerfile: "Dockerfile"}, y.upload("before"))
		kept := y.released(imaged, 1)
		if err := errors.Join(y.Keep(y.Context(), kept), y.Made(y.Context(), site)); err != nil {
			y.Fatal(err)
		}
		if names := y.names(); len(names) != 1 || !strings.Contains(names[0], "triage:1-") {
			y.Errorf("the image of a release is called %q", names)
		}
		if err := y.Forget(y.Context(), []fairlead.Release{kept}); err != nil {
			y.Fatal(err)
		}
		y.gone(imaged)

		// A server that was killed in the middle has left its name.
		killed := y.make(fairlead.Artifact{Dockerfile: "Dockerfile"}, y.upload("killed"))
		y.Store.making.names = map[fairlead.Site]string{}
		if err := errors.Join(y.Sweep(y.Context(), nil), y.Forget(y.Context(), nil)); err != nil {
			y.Fatal(err)
		}
		y.gone(killed)
	})
}

// A person's build that nobody named is not ours, even when ours makes the same image.
func TestAnImageThatWasNamelessBeforeStays(t *testing.T) {
	eachYard(t, func(y *yard) {
		y.build("localhost/mine:1", "a person's")
		y.build("localhost/mine:1", "another") // takes the name
		y.make(fairlead.Artifact{Image: "localhost/mine:1"}, "")
		before, err := y.engine.used().Nameless(y.Context())
		if err != nil || len(before) == 0 {
			y.Fatalf("nameless are %v, %v", before, err)
		}
		again := y.make(fairlead.Artifact{Dockerfile: "Dockerfile"}, y.upload("a person's"))
		y.Logf("the same image: %v", before[again.Image.ID])
		site := fairlead.Site{App: "triage", Env: "production"}
		if err := errors.Join(y.Made(y.Context(), site), y.Forget(y.Context(), nil)); err != nil {
			y.Fatal(err)
		}
		if after, err := y.engine.used().Nameless(y.Context()); err != nil || !maps.Equal(after, before) {
			y.Errorf("nameless were %v and are %v, %v", before, after, err)
		}
	})
}

// upload stores the context of a build with a prompt.
func (y *yard) upload(prompt string) fairlead.Digest {
	y.Helper()
	tree, _, err := y.trees.PutTree(y.Context(), y.write(map[string]string{"Dockerfile": dockerfile, "prompt.txt": prompt}))
	if err != nil {
		y.Fatal(err)
	}
	return tree
}

// names are the names by which the engine has images for us.
func (y *yard) names() []string {
	y.Helper()
	names, err := y.engine.used().Tags(y.Context(), prefix)
	if err != nil {
		y.Fatal(err)
	}
	return names
}

// gone fails where the engine has an image, or one by a name of ours.
func (y *yard) gone(i release.Imaged) {
	y.Helper()
	if _, err := y.engine.used().Image(y.Context(), string(i.Image.ID)); fairlead.CodeOf(err) != fairlead.NotFound {
		y.Errorf("the image is there: %v", err)
	}
	if names := y.names(); len(names) > 0 {
		y.Errorf("there are images called %q", names)
	}
}
