package e2e

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	parts "github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/container/enginetest"
)

func TestInContainersARolloutGoesOnWhenTheEngineIsRestarted(t *testing.T) {
	inEngines(t)
	for _, name := range enginetest.Names {
		t.Run(name, func(t *testing.T) {
			e := enginetest.Start(t, name)
			w := startWith(t, e)
			w.ship(0, behaviour{Version: "v1"}, appFile{environments: twoReplicas})
			l := w.startLoad(w.host())
			v2 := behaviour{Version: "v2"}
			w.begin(v2, w.imaged(v2, appFile{environments: twoReplicas}, byName))
			w.reaches("partial", partial)
			eventually(t, 10*time.Second, "traffic on the canary", func() bool { return l.by(2) > 50 })
			began, before := time.Now(), l.losses()
			e.Kill(t)
			e.Launch(t)
			eventually(t, 60*time.Second, "every instance ready again", func() bool {
				all := w.site().Instances
				for _, i := range all {
					if i.State != workload.Ready {
						return false
					}
				}
				return len(all) >= 3 && w.served(l)
			})
			took, during := time.Since(began), l.losses()-before
			t.Logf("%s was killed and started: all was ready again after %s; %d of some %d requests were lost meanwhile", name, took.Round(time.Millisecond), during, int(took.Seconds()*rate))
			w.reaches("promoted", outcome(client.Promoted))
			// Podman's containers do not need it. A Docker that is not told to keep them (live-restore) ends
			// every container when it starts after a crash; then all of the app's instances start at once.
			if name == "podman" && during != 0 {
				t.Errorf("%d requests were lost, though containers of Podman outlive it", during)
			}
			if more := l.losses() - during; before != 0 || more != 0 {
				t.Errorf("%d requests were lost before the engine was killed, %d once all was ready again", before, more)
			}
			l.end()
			w.proven()
		})
	}
}

// losses is how many requests were lost so far.
func (l *load) losses() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.lost)
}

// served reports whether a second of traffic comes through without a loss.
func (w *world) served(l *load) bool {
	w.Helper()
	lost := l.losses()
	time.Sleep(time.Second)
	return l.losses() == lost
}

func TestInContainersAFullDiskStopsAPullWithAReasonAndTheNextOneEndsIt(t *testing.T) {
	inEngines(t)
	for _, name := range enginetest.Names {
		t.Run(name, func(t *testing.T) {
			pulls(t, name)
		})
	}
}

// pulls has an engine with little room pull an image, and pull it again with more room.
func pulls(t *testing.T, kind string) {
	at := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer at.Close()
	e := enginetest.StartOn(t, kind, 48<<20)
	w := newWorld(t)
	w.engine = e
	b := behaviour{Version: "v1"}
	image := fmt.Sprintf("%s/%s:v1", strings.TrimPrefix(at.URL, "http://"), w.named)
	path := w.lay(b, appFile{image: true, artifact: "{image: " + image + "}"})
	w.push(b, at.URL)
	w.up()
	refused := w.refused(1, "deploy", "-f", path)
	w.hasNoRoom(refused)
	w.says(refused, image)
	w.exits(1, "releases", w.named) // a refused deploy makes none
	w.engine.Resize(t, 1<<30)
	w.must("deploy", "-f", path, "--wait")
	w.servedInABox("v1")
	w.proven()
}

// push pushes a release that was laid to a registry, as an image of two layers: the app, and 64 MB that
// no disk compresses.
func (w *world) push(b behaviour, registry string) {
	w.Helper()
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(w.dir, b.Version, name))
		if err != nil {
			w.Fatal(err)
		}
		return data
	}
	model := make([]byte, 64<<20)
	rand.Read(model) // never fails
	config := &v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH, RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{Env: []string{"HOST=0.0.0.0"}, WorkingDir: "/app", Entrypoint: []string{"./app"}}}
	made, err := mutate.ConfigFile(empty.Image, config)
	for _, files := range []map[string][]byte{{"app/app": read("app"), "app/config.json": read("config.json")}, {"model": model}} {
		if err == nil {
			made, err = mutate.AppendLayers(made, w.layer(files))
		}
	}
	if err != nil {
		w.Fatal(err)
	}
	send(w, made, registry)
}

// send puts an image into a registry of a test, as NAMED:v1.
func send(w *world, image v1.Image, registry string) {
	w.Helper()
	layers, errLayers := image.Layers()
	config, errConfig := parts.ConfigLayer(image)
	manifest, errManifest := image.RawManifest()
	media, errMedia := image.MediaType()
	if err := errors.Join(errLayers, errConfig, errManifest, errMedia); err != nil {
		w.Fatal(err)
	}
	for _, blob := range append(layers, config) {
		digest, err := blob.Digest()
		if err != nil {
			w.Fatal(err)
		}
		data, err := blob.Compressed()
		if err != nil {
			w.Fatal(err)
		}
		w.posts("POST", fmt.Sprintf("%s/v2/%s/blobs/uploads/?digest=%s", registry, w.named, digest), "application/octet-stream", data)
		_ = data.Close()
	}
	w.posts("PUT", fmt.Sprintf("%s/v2/%s/manifests/v1", registry, w.named), string(media), bytes.NewReader(manifest))
}

func (w *world) posts(method, url, kind string, body io.Reader) {
	w.Helper()
	r, err := http.NewRequest(method, url, body)
	if err != nil {
		w.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusCreated {
		text, _ := io.ReadAll(a.Body)
		w.Fatalf("%s %s: %s %s", method, url, a.Status, text)
	}
}

// layer makes files into a layer of an image.
func (w *world) layer(files map[string][]byte) v1.Layer {
	w.Helper()
	var packed bytes.Buffer
	pack := tar.NewWriter(&packed)
	for name, data := range files {
		header := &tar.Header{Name: name, Mode: 0o755, Size: int64(len(data))}
		if err := pack.WriteHeader(header); err != nil {
			w.Fatal(err)
		}
		if _, err := pack.Write(data); err != nil {
			w.Fatal(err)
		}
	}
	if err := pack.Close(); err != nil {
		w.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed.Bytes())), nil })
	if err != nil {
		w.Fatal(err)
	}
	return layer
}
