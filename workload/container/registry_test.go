package container_test

import (
	"cmp"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
)

// hub is a real registry on loopback that can be told to fail.
type hub struct {
	*httptest.Server
	mu       sync.Mutex
	breaking string         // a blob, which breaks off
	breaks   int            // so many times
	asked    map[string]int // GET requests by path
	user     string         // and password, where somebody must say who they are
	asks     string         // how it asks who they are; by default for a user and password
	away     string         // where it sends who is let in to fetch layers from; nowhere if empty
}

func newHub(t *testing.T) *hub {
	h := &hub{asked: map[string]int{}}
	real := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if r.Method == http.MethodGet {
			h.asked[r.URL.Path]++
			user, password, _ := r.BasicAuth()
			if h.user != "" && user+":"+password != h.user {
				w.Header().Set("WWW-Authenticate", cmp.Or(h.asks, `Basic realm="test"`))
				http.Error(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`, http.StatusUnauthorized)
				return
			}
			if h.away != "" && strings.Contains(r.URL.Path, "/blobs/") {
				http.Redirect(w, r, h.away+r.URL.Path, http.StatusTemporaryRedirect)
				return
			}
			if h.breaking != "" && strings.HasSuffix(r.URL.Path, h.breaking) && h.breaks > 0 {
				h.breaks--
				w = &broken{w, 1 << 20}
			}
		}
		real.ServeHTTP(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

// broken is a connection that ends after some bytes.
type broken struct {
	http.ResponseWriter
	left int
}

func (b *broken) Write(p []byte) (int, error) {
	if len(p) > b.left {
		_, _ = b.ResponseWriter.Write(p[:b.left])
		panic(http.ErrAbortHandler)
	}
	b.left -= len(p)
	return b.ResponseWriter.Write(p)
}

func (h *hub) host() string { return strings.TrimPrefix(h.URL, "http://") }

// image returns an image of layers of chance, made for a machine.
func image(t *testing.T, machine string, layers int64, size int64) v1.Image {
	t.Helper()
	img, err := random.Image(size, layers)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", machine
	config.Config = v1.Config{
		Entrypoint: []string{"/bin/triage"}, Cmd: []string{"serve"}, User: "1000", WorkingDir: "/srv",
		ExposedPorts: map[string]struct{}{"9000/tcp": {}}, Env: []string{"MODEL=small"},
	}
	if img, err = mutate.ConfigFile(img, config); err != nil {
		t.Fatal(err)
	}
	return img
}

// push puts an image into the registry and returns its name there.
func (h *hub) push(t *testing.T, repository, tag string, img v1.Image) string {
	t.Helper()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, layer := range layers {
		digest, err := layer.Digest()
		if err != nil {
			t.Fatal(err)
		}
		content, err := layer.Compressed()
		if err != nil {
			t.Fatal(err)
		}
		h.send(t, http.MethodPost, "/v2/"+repository+"/blobs/uploads/?digest="+digest.String(), "", content)
	}
	config, err := img.RawConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	name, err := img.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	h.send(t, http.MethodPost, "/v2/"+repository+"/blobs/uploads/?digest="+name.String(), "", strings.NewReader(string(config)))
	manifest, err := img.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	media, err := img.MediaType()
	if err != nil {
		t.Fatal(err)
	}
	h.send(t, http.MethodPut, "/v2/"+repository+"/manifests/"+tag, string(media), strings.NewReader(string(manifest)))
	return h.host() + "/" + repository + ":" + tag
}

func (h *hub) send(t *testing.T, method, path, media string, body io.Reader) {
	t.Helper()
	r, err := http.NewRequest(method, h.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", media)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode > 299 {
		t.Fatalf("%s %s: %s", method, path, answer.Status)
	}
}
