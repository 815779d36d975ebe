package images

import (
	"context"
	"errors"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/artifact"
	"github.com/fairlead/fairlead/release"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/container/enginetest"
)

// yard is a place in which images are resolved: a real engine, a registry and a
// content store.
type yard struct {
	*testing.T
	*Store
	trees    *artifact.Store
	root     string
	real     *enginetest.Engine
	registry string
	notes    []string
	known    []fairlead.Release
}

func newYard(t *testing.T, name string) *yard {
	real := enginetest.Start(t, name)
	served := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(served.Close)
	trees, err := artifact.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	y := &yard{T: t, trees: trees, root: root, real: real, registry: strings.TrimPrefix(served.URL, "http://")}
	y.Store = New(Config{
		Host: func() string { return real.Host }, Root: root, Scratch: t.TempDir(), Trees: trees,
		Reveal: func(context.Context, string, string) ([]byte, error) { return []byte("ada:lovelace"), nil },
		Getenv: func(string) string { return "/nonexistent" },
		Known: func(_ context.Context, _ string, id fairlead.Digest) (kept, buildLog fairlead.Digest) {
			for _, r := range y.known {
				if r.Content.Image.ID == id {
					return r.Kept, r.Content.Image.BuildLog
				}
			}
			return "", ""
		},
	})
	t.Cleanup(func() {
		if err := y.Close(); err != nil {
			t.Error(err)
		}
	})
	return y
}

// write makes a directory of files.
func (y *yard) write(files map[string]string) string {
	y.Helper()
	dir := y.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o755); err != nil {
			y.Fatal(err)
		}
	}
	return dir
}

const dockerfile = "FROM scratch\nWORKDIR /srv\nCOPY prompt.txt /srv/\nEXPOSE 9000\nENTRYPOINT [\"/srv/app\"]\n"

// build has the engine build an image with a prompt, by a name.
func (y *yard) build(name, prompt string) {
	y.Helper()
	y.real.Build(y, name, y.write(map[string]string{"Dockerfile": dockerfile, "prompt.txt": prompt}))
}

// push builds an image and puts it into the registry, and takes it from the engine.
func (y *yard) push(repository, tag, prompt string) string {
	y.Helper()
	name := y.registry + "/" + repository
	y.build(name+":"+tag, prompt)
	y.real.Push(y, name, tag)
	y.lose(name + ":" + tag)
	return name + ":" + tag
}

// lose takes an image from the engine.
func (y *yard) lose(name string) {
	y.Helper()
	if err := y.real.Try(http.MethodDelete, "/images/"+name+"?force=1", nil, nil); err != nil {
		y.Fatal(err)
	}
}

// make resolves an artifact and returns what a release of it holds.
func (y *yard) make(a fairlead.Artifact, tree fairlead.Digest) release.Imaged {
	y.Helper()
	y.notes = nil
	imaged, err := y.Resolve(y.Context(), y.making(a, tree))
	if err != nil {
		y.Fatal(err)
	}
	return imaged
}

func (y *yard) making(a fairlead.Artifact, tree fairlead.Digest) release.Making {
	return release.Making{
		App:  fairlead.App{Metadata: fairlead.Metadata{Name: "triage"}, Spec: fairlead.AppSpec{Artifact: a, Prompt: []string{"prompt.txt"}}},
		Tree: tree, Env: "production",
		Tell: func(p fairlead.Progress) {
			if p.Note != "" {
				y.notes = append(y.notes, p.Note)
			}
		},
	}
}

func (y *yard) released(i release.Imaged, number int) fairlead.Release {
	return fairlead.Release{App: "triage", Number: number, Content: fairlead.Content{Artifact: i.Tree, Image: &i.Image}, Kept: i.Kept}
}

// files are the paths in a release's tree.
func (y *yard) files(i release.Imaged) []string {
	y.Helper()
	m, err := y.trees.Manifest(i.Tree)
	if err != nil {
		y.Fatal(err)
	}
	var names []string
	for _, f := range m.Files {
		names = append(names, f.Path)
	}
	return names
}

func eachYard(t *testing.T, test func(y *yard)) {
	for _, name := range enginetest.Names {
		t.Run(name, func(t *testing.T) { test(newYard(t, name)) })
	}
}

func TestATagIsPinnedAndOneThatMovedIsAnotherImage(t *testing.T) {
	eachYard(t, func(y *yard) {
		name := y.push("team/triage", "1", "one")
		first := y.make(fairlead.Artifact{Image: name}, "")
		if first.Image.Reference != name || !strings.HasPrefix(first.Image.Pinned, y.registry+"/team/triage@sha256:") || first.Port != 9000 || first.Kept != "" {
			y.Errorf("%+v", first)
		}
		if files := y.files(first); !slices.Equal(files, []string{imageFile, "prompt.txt"}) {
			y.Errorf("the release shows %v", files)
		}
		if again := y.make(fairlead.Artifact{Image: name}, ""); again.Tree != first.Tree || again.Image.Pinned != first.Image.Pinned {
			y.Errorf("the same tag: %+v, was %+v", again, first)
		}
		if err := y.Keep(y.Context(), y.released(first, 1)); err != nil {
			y.Fatal(err)
		}
		y.push("team/triage", "1", "two")
		moved := y.make(fairlead.Artifact{Image: name}, "")
		if moved.Image.ID == first.Image.ID || moved.Image.Pinned == first.Image.Pinned || moved.Tree == first.Tree {
			y.Errorf("the tag moved: %+v, was %+v", moved.Image, first.Image)
		}
		if exact := y.make(fairlead.Artifact{Image: first.Image.Pinned}, ""); exact.Image.ID != first.Image.ID {
			y.Errorf("by digest: %+v, want %+v", exact.Image, first.Image)
		}
	})
}

func TestAnImageThatTheEngineLostComesBackFromItsRegistryOrTheContentStore(t *testing.T) {
	eachYard(t, func(y *yard) {
		y.build("localhost/mine:1", "mine")
		local := y.make(fairlead.Artifact{Image: "localhost/mine:1"}, "")
		if local.Image.Pinned != "" || local.Kept == "" {
			y.Errorf("an image of this machine: %+v", local)
		}
		pulled := y.make(fairlead.Artifact{Image: y.push("team/triage", "1", "pulled")}, "")
		tree, _, err := y.trees.PutTree(y.Context(), y.write(map[string]string{"Dockerfile": dockerfile, "prompt.txt": "built"}))
		if err != nil {
			y.Fatal(err)
		}
		built := y.make(fairlead.Artifact{Dockerfile: "Dockerfile"}, tree)
		if built.Image.BuildLog == "" || built.Kept == "" {
			y.Errorf("a built image: %+v", built)
		}
		saved := filepath.Join(y.TempDir(), "image.tar")
		y.real.Save(y, "localhost/mine:1", saved)
		archive, _, err := y.trees.PutTree(y.Context(), filepath.Dir(saved))
		if err != nil {
			y.Fatal(err)
		}
		loaded := y.make(fairlead.Artifact{Archive: "image.tar"}, archive)
		if loaded.Image.ID != local.Image.ID {
			y.Errorf("an archive of %s holds %s", local.Image.ID, loaded.Image.ID)
		}
		var all []fairlead.Release
		for n, imaged := range []release.Imaged{local, pulled, built, loaded} {
			r := y.released(imaged, n+1)
			all = append(all, r)
			if err := y.Keep(y.Context(), r); err != nil {
				y.Fatal(err)
			}
		}
		if err := y.Forget(y.Context(), all); err != nil {
			y.Fatal(err)
		}
		var left []struct{ RepoTags []string }
		y.real.Ask(y, http.MethodGet, "/images/json", nil, &left)
		for _, image := range left {
			if slices.ContainsFunc(image.RepoTags, func(name string) bool { return strings.HasPrefix(name, prefix) }) {
				y.Errorf("%v is left", image.RepoTags)
			}
		}
		for _, r := range all {
			_ = y.real.Try(http.MethodDelete, "/images/"+string(r.Content.Image.ID)+"?force=1", nil, nil) // it may be gone
			image, err := y.Provide(y.Context(), r, "production")
			if err != nil || image.ID != r.Content.Image.ID {
				y.Errorf("%s of %s: %+v, %v", r.Name(), r.Content.Image.Reference, image, err)
			}
		}
	})
}

func TestABuildThatMakesTheSameImageAgainMakesNoOtherRelease(t *testing.T) {
	eachYard(t, func(y *yard) {
		files := map[string]string{"Dockerfile": dockerfile, "prompt.txt": "built"}
		built := func() fairlead.Release {
			y.Helper()
			tree, _, err := y.trees.PutTree(y.Context(), y.write(files))
			if err != nil {
				y.Fatal(err)
			}
			return y.released(y.make(fairlead.Artifact{Dockerfile: "Dockerfile"}, tree), 1)
		}
		first := built()
		y.known = []fairlead.Release{first}
		files["Dockerfile"] = "# its log is another\n" + dockerfile
		if again := built(); !reflect.DeepEqual(again.Content, first.Content) || again.Kept != first.Kept {
			y.Errorf("%+v, was %+v", again.Content.Image, first.Content.Image)
		}
		files["prompt.txt"] = "another"
		if other := built(); other.Content.Image.ID == first.Content.Image.ID || other.Content.Image.BuildLog == first.Content.Image.BuildLog {
			y.Errorf("%+v, was %+v", other.Content.Image, first.Content.Image)
		}
	})
}

func TestAFileThatTheImageLacksAndABuildThatFailsAreRefused(t *testing.T) {
	eachYard(t, func(y *yard) {
		y.build("localhost/mine:1", "mine")
		m := y.making(fairlead.Artifact{Image: "localhost/mine:1"}, "")
		m.App.Spec.Prompt = []string{"none.txt"}
		if _, err := y.Resolve(y.Context(), m); fairlead.CodeOf(err) != fairlead.Invalid || !strings.Contains(err.Error(), "none.txt") {
			y.Errorf("%v", err)
		}
		tree, _, err := y.trees.PutTree(y.Context(), y.write(map[string]string{"Dockerfile": "FROM scratch\nCOPY none /none\n"}))
		if err != nil {
			y.Fatal(err)
		}
		_, err = y.Resolve(y.Context(), y.making(fairlead.Artifact{Dockerfile: "Dockerfile"}, tree))
		if fairlead.CodeOf(err) != fairlead.Invalid || !strings.Contains(err.Error(), "the end of its log") {
			y.Errorf("%v", err)
		}
	})
}

func TestABuildsArgumentsAndTargetAreAPartOfTheRelease(t *testing.T) {
	eachYard(t, func(y *yard) {
		text := "ARG BASE\nFROM $BASE AS serve\nARG MODEL\nENV MODEL=$MODEL\nFROM localhost/none:1\n"
		y.build("localhost/mine:1", "mine")
		tree, _, err := y.trees.PutTree(y.Context(), y.write(map[string]string{"Dockerfile": text}))
		if err != nil {
			y.Fatal(err)
		}
		a := fairlead.Artifact{Dockerfile: "Dockerfile", Target: "serve", BuildArgs: map[string]string{"BASE": "localhost/mine:1", "MODEL": "small"}}
		small := y.make(a, tree)
		if small.Image.Target != "serve" || !maps.Equal(small.Image.BuildArgs, a.BuildArgs) || len(small.Image.Bases) != 1 || small.Image.Bases["localhost/mine:1"] == "" {
			y.Errorf("%+v", small.Image)
		}
		a.BuildArgs = map[string]string{"BASE": "localhost/mine:1", "MODEL": "large"}
		if large := y.make(a, tree); large.Image.ID == small.Image.ID || large.Tree == small.Tree {
			y.Errorf("another argument makes the same image: %+v", large.Image)
		}
		a.BuildArgs["MODLE"] = "small"
		if _, err := y.Resolve(y.Context(), y.making(a, tree)); fairlead.CodeOf(err) != fairlead.Invalid || !strings.Contains(err.Error(), "no ARG MODLE") {
			y.Errorf("an argument that the file does not have: %v", err)
		}
	})
}

func TestWithoutAnEngineADeployOfAnImageSaysHowToGetOne(t *testing.T) {
	none := New(Config{Host: func() string { return "" }})
	defer none.Close()
	_, err := none.Resolve(t.Context(), release.Making{App: fairlead.App{Spec: fairlead.AppSpec{Artifact: fairlead.Artifact{Image: "triage:1"}}}})
	if fairlead.CodeOf(err) != fairlead.Unavailable || !strings.Contains(fairlead.HintOf(err), "apt-get install") {
		t.Errorf("%v, hint %q", err, fairlead.HintOf(err))
	}
}

func TestAnEngineThatDoesNotAnswerIsTheMachinesFault(t *testing.T) {
	none := New(Config{Host: func() string { return "" }})
	defer none.Close()
	r := fairlead.Release{App: "triage", Number: 1, Content: fairlead.Content{Image: &fairlead.Image{}}}
	if _, err := none.Provide(t.Context(), r, "production"); !errors.As(err, &workload.Unable{}) || fairlead.CodeOf(err) != fairlead.Unavailable {
		t.Errorf("without an engine: %v", err)
	}
	eachYard(t, func(y *yard) {
		y.build("localhost/mine:1", "mine")
		held := y.released(y.make(fairlead.Artifact{Image: "localhost/mine:1"}, ""), 1)
		lost := held
		lost.Content.Image = &fairlead.Image{ID: fairlead.Digest("sha256:" + strings.Repeat("0", 64)), Reference: "localhost/gone:1"}
		if _, err := y.Provide(y.Context(), lost, "production"); err == nil || errors.As(err, &workload.Unable{}) {
			y.Errorf("an image that is lost: %v", err)
		}
		y.real.Kill(y.T)
		if _, err := y.Provide(y.Context(), held, "production"); !errors.As(err, &workload.Unable{}) {
			y.Errorf("with the engine gone: %v", err)
		}
	})
}
