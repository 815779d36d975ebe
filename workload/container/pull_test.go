package container_test

import (
	"path"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload/container"
	"github.com/fairlead/fairlead/workload/container/enginetest"
)

// withEngines runs a test with every kind of engine.
func withEngines(t *testing.T, test func(t *testing.T, e *container.Engine, real *enginetest.Engine)) {
	for _, name := range enginetest.Names {
		t.Run(name, func(t *testing.T) {
			real := enginetest.Start(t, name)
			test(t, connect(t, real), real)
		})
	}
}

func connect(t *testing.T, real *enginetest.Engine) *container.Engine {
	t.Helper()
	e, err := container.Open(t.Context(), real.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func TestAPullThatBreaksOffGoesOnAndFetchesNoFinishedLayerAgain(t *testing.T) {
	withEngines(t, func(t *testing.T, e *container.Engine, _ *enginetest.Engine) {
		h := newHub(t)
		img := image(t, runtime.GOARCH, 4, 3<<20)
		name := h.push(t, "team/triage", "1", img)
		layers, err := img.Layers()
		if err != nil {
			t.Fatal(err)
		}
		bad, err := layers[3].Digest()
		if err != nil {
			t.Fatal(err)
		}
		h.breaking, h.breaks = bad.String(), 1
		var told []fairlead.Progress
		digest, err := e.Pull(t.Context(), container.Pull{Name: name, Tell: func(p fairlead.Progress) { told = append(told, p) }, Pause: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		for n, layer := range layers {
			digest, err := layer.Digest()
			if err != nil {
				t.Fatal(err)
			}
			asked := h.asked["/v2/team/triage/blobs/"+digest.String()]
			if n == 3 && asked < 2 || n != 3 && asked != 1 {
				t.Errorf("layer %d was fetched %d times", n, asked)
			}
		}
		percents := make([]float64, len(told))
		for i, p := range told {
			percents[i] = p.Percent
		}
		if len(told) < 4 || slices.Max(percents) < 50 {
			t.Errorf("progress told: %+v", told)
		}
		found, err := e.Image(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		manifest, err := img.Digest()
		if err != nil {
			t.Fatal(err)
		}
		if want := container.Pinned(h.host()+"/team/triage", manifest.String()); found.PinnedIn(h.host()+"/team/triage") != want {
			t.Errorf("pinned as %v, want %s", found.Pinned, want)
		}
		if digest != "" && string(digest) != manifest.String() {
			t.Errorf("the pull says %s, and it is %s", digest, manifest)
		}
		config, err := img.ConfigName()
		if err != nil {
			t.Fatal(err)
		}
		if string(found.ID) != config.String() {
			t.Errorf("its id is %s, want that of its configuration, %s", found.ID, config)
		}
		if !slices.Equal(found.Command, []string{"/bin/triage", "serve"}) || !slices.Equal(found.Ports, []int{9000}) || found.User != "1000" || found.WorkDir != "/srv" || found.RunsHere() != nil {
			t.Errorf("it says %+v", found)
		}
	})
}

func TestWhatCannotBePulledHasAReasonAndAWayOut(t *testing.T) {
	other := map[string]string{"amd64": "arm64", "arm64": "amd64"}[runtime.GOARCH]
	withEngines(t, func(t *testing.T, e *container.Engine, _ *enginetest.Engine) {
		h := newHub(t)
		h.push(t, "team/triage", "1", image(t, runtime.GOARCH, 1, 100))
		strange := image(t, other, 1, 100)
		h.push(t, "team/strange", "only", strange)
		index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: strange, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: other}}})
		manifest, err := index.RawManifest()
		if err != nil {
			t.Fatal(err)
		}
		media, err := index.MediaType()
		if err != nil {
			t.Fatal(err)
		}
		h.send(t, "PUT", "/v2/team/strange/manifests/1", string(media), strings.NewReader(string(manifest)))
		guarded := newHub(t)
		secret := guarded.push(t, "team/secret", "1", image(t, runtime.GOARCH, 1, 100))
		guarded.user = "ada:lovelace"
		for _, c := range []struct {
			name string
			code fairlead.Code
			says string
		}{
			{h.host() + "/team/nothing:1", fairlead.NotFound, "has no such image"},
			{h.host() + "/team/triage:2", fairlead.NotFound, "has no such image"},
			{h.host() + "/team/strange:1", fairlead.Invalid, "not for this machine"},
			{secret, fairlead.Forbidden, "does not give it to who asked"},
			{"127.0.0.1:1/team/triage:1", fairlead.Unavailable, "cannot be reached"},
			{"registry.invalid/team/triage:1", fairlead.Unavailable, "cannot be reached"},
		} {
			_, err := e.Pull(t.Context(), container.Pull{Name: c.name, Attempts: 2, Pause: time.Millisecond})
			if fairlead.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) || fairlead.HintOf(err) == "" {
				t.Errorf("%s: %v (code %s, hint %q)", c.name, err, fairlead.CodeOf(err), fairlead.HintOf(err))
			}
		}
		wrong, err := container.ReadCredentials([]byte("ada:byron"), secret)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Pull(t.Context(), container.Pull{Name: secret, Credentials: wrong}); fairlead.CodeOf(err) != fairlead.Forbidden {
			t.Errorf("a wrong password: %v", err)
		}
		right, err := container.ReadCredentials([]byte("ada:lovelace\n"), secret)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Pull(t.Context(), container.Pull{Name: secret, Credentials: right}); err != nil {
			t.Errorf("the right password: %v", err)
		}
		if _, err := e.Pull(t.Context(), container.Pull{Name: h.host() + "/team/strange:only"}); err == nil {
			found, err := e.Image(t.Context(), h.host()+"/team/strange:only")
			if err != nil || fairlead.CodeOf(found.RunsHere()) != fairlead.Invalid {
				t.Errorf("an image of another machine: %v, %v", err, found.RunsHere())
			}
		}
	})
}

func TestAPullOntoAFullDiskSaysSo(t *testing.T) {
	for _, name := range enginetest.Names {
		t.Run(name, func(t *testing.T) {
			e := connect(t, enginetest.StartOn(t, name, 12<<20))
			h := newHub(t)
			ref := h.push(t, "team/large", "1", image(t, runtime.GOARCH, 2, 10<<20))
			_, err := e.Pull(t.Context(), container.Pull{Name: ref, Attempts: 1})
			if fairlead.CodeOf(err) != fairlead.Unavailable || err == nil || !strings.Contains(err.Error(), "disk is full") || fairlead.HintOf(err) == "" {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestAnImageIsKeptByANameAndItsFilesAreTakenOut(t *testing.T) {
	withEngines(t, func(t *testing.T, e *container.Engine, real *enginetest.Engine) {
		id := buildFrom(t, real, map[string]string{
			"Dockerfile":   "FROM scratch\nWORKDIR /srv\nCOPY . /srv/\nENTRYPOINT [\"/srv/app\"]\n",
			"app":          "not really a program",
			"prompts/a.md": "You are a clerk.\n",
		})
		found, err := e.Image(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		const name = "localhost/fairlead/triage:1-0123456789ab"
		if err := e.Tag(t.Context(), found.ID, name); err != nil {
			t.Fatal(err)
		}
		if names, err := e.Tags(t.Context(), "localhost/fairlead/"); err != nil || !slices.Equal(names, []string{name}) {
			t.Errorf("names %v, %v", names, err)
		}
		to, root := path.Join(t.TempDir(), "a.md"), t.TempDir()
		if err := e.Extract(t.Context(), found.ID, root, map[string]string{"/srv/prompts/a.md": to}); err != nil {
			t.Fatal(err)
		}
		demandFile(t, to, "You are a clerk.\n")
		for _, wrong := range []string{"/srv/none", "/srv/prompts"} {
			err := e.Extract(t.Context(), found.ID, root, map[string]string{wrong: path.Join(t.TempDir(), "x")})
			if fairlead.CodeOf(err) != fairlead.Invalid {
				t.Errorf("%s: %v", wrong, err)
			}
		}
		var left []map[string]any
		if real.Ask(t, "GET", "/containers/json?all=1", nil, &left); len(left) != 0 {
			t.Errorf("%d containers are left", len(left))
		}
		if err := e.Untag(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		if err := e.Untag(t.Context(), name); err != nil {
			t.Errorf("again: %v", err)
		}
	})
}
