package container_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/workload/container"
	"github.com/fairlead/fairlead/workload/container/enginetest"
)

// bystander is another service of the machine, which notes what it is sent.
type bystander struct {
	*httptest.Server
	mu   sync.Mutex
	sent []string // method, path and credentials
}

func newBystander(t *testing.T) *bystander {
	b := &bystander{}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.sent = append(b.sent, fmt.Sprintf("%s %s %q %q", r.Method, r.URL.Path, r.Header.Get("Authorization"), r.Header.Get("Cookie")))
		http.Error(w, "{}", http.StatusNotFound)
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *bystander) all() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sent
}

func TestCredentialsDoNotGoWhereARegistryRedirectsTo(t *testing.T) {
	withEngines(t, func(t *testing.T, e *container.Engine, _ *enginetest.Engine) {
		h, other := newHub(t), newBystander(t)
		name := h.push(t, "team/secret", "1", image(t, runtime.GOARCH, 1, 100))
		h.user, h.away = "ada:lovelace", other.URL
		right, err := container.ReadCredentials([]byte(h.user), name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Pull(t.Context(), container.Pull{Name: name, Credentials: right, Attempts: 1, Pause: time.Millisecond}); err == nil {
			t.Error("it was pulled, though its layers are elsewhere")
		} else if strings.Contains(err.Error(), "lovelace") {
			t.Errorf("the password is shown: %v", err)
		}
		sent := other.all()
		if len(sent) == 0 {
			t.Error("nobody went where the registry redirects to: nothing is shown")
		}
		for _, line := range sent {
			if !strings.HasPrefix(line, "GET ") || !strings.HasSuffix(line, ` "" ""`) {
				t.Errorf("another service of the machine was sent %s", line)
			}
		}
	})
}

// A registry names the service that gives tokens for it, and that one is sent the
// password: so the protocol of registries has it, and with docker.io it is another
// host. See https://distribution.github.io/distribution/spec/auth/token/.
func TestTheServiceThatARegistryNamesForTokensIsSentItsCredentialsAndNothingElse(t *testing.T) {
	withEngines(t, func(t *testing.T, e *container.Engine, _ *enginetest.Engine) {
		h, other := newHub(t), newBystander(t)
		name := h.push(t, "team/secret", "1", image(t, runtime.GOARCH, 1, 100))
		h.user, h.asks = "ada:lovelace", `Bearer realm="`+other.URL+`/token",service="x"`
		right, err := container.ReadCredentials([]byte(h.user), name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = e.Pull(t.Context(), container.Pull{Name: name, Credentials: right, Attempts: 1}); err == nil || strings.Contains(err.Error(), "lovelace") {
			t.Errorf("%v", err)
		}
		want := fmt.Sprintf("GET /token %q %q", "Basic "+base64.StdEncoding.EncodeToString([]byte(h.user)), "")
		for _, line := range other.all() {
			if line != want {
				t.Errorf("it was sent %s, want %s", line, want)
			}
		}
		if len(other.all()) == 0 {
			t.Error("it was not asked: nothing is shown")
		}
	})
}
