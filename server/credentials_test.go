package server

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"io/fs"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/app"
	"github.com/fairlead/fairlead/workload/container/enginetest"
)

// guarded is a registry that answers one user only, once it is locked.
type guarded struct {
	*httptest.Server
	locked   atomic.Bool
	admitted atomic.Int64 // requests with the right password
}

func newGuarded(t *testing.T, user, password string) *guarded {
	g := &guarded{}
	open := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, said, _ := r.BasicAuth()
		switch right := name == user && said == password; {
		case right:
			g.admitted.Add(1)
		case g.locked.Load():
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			http.Error(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`, http.StatusUnauthorized)
			return
		}
		open.ServeHTTP(w, r)
	}))
	t.Cleanup(g.Close)
	return g
}

// clearly reports in which form a text holds a password, or nothing.
func clearly(text []byte, user, password string) string {
	for form, secret := range map[string]string{
		"plain": password, "base64": base64.StdEncoding.EncodeToString([]byte(password)),
		"of a header": base64.StdEncoding.EncodeToString([]byte(user + ":" + password)),
	} {
		if bytes.Contains(text, []byte(strings.TrimRight(secret, "="))) {
			return form
		}
	}
	return ""
}

func TestThePasswordOfARegistryIsNowhereInClearAfterADeploy(t *testing.T) {
	const user, password = "ada", "an-engine-that-weaves-algebra"
	for _, name := range enginetest.Names {
		t.Run(name, func(t *testing.T) {
			real, hub, state := enginetest.Start(t, name), newGuarded(t, user, password), t.TempDir()
			repository := strings.TrimPrefix(hub.URL, "http://") + "/team/triage"
			image := repository + ":1"
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\nCOPY Dockerfile /srv/\nENTRYPOINT [\"/srv/app\"]\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			real.Build(t, image, dir)
			real.Push(t, repository, "1")
			real.Ask(t, http.MethodDelete, "/images/"+image+"?force=1", nil, nil)
			hub.locked.Store(true)
			var logged bytes.Buffer
			h := newHouseOf(t, state, "127.0.0.1:0", func(c *Config) {
				c.Engine, c.Log = real.Socket(), slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
			})
			c := client.Remote(h.base, h.who.token)
			declared, err := app.Parse("triage.yaml", []byte("apiVersion: fairlead.dev/v1\nkind: App\nmetadata: {name: triage}\nspec:\n  artifact: {image: \""+image+"\", credentials: registry}\n"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.SetSecret(t.Context(), "production", "registry", client.SecretValue{Value: []byte(user + ":a wrong one")}); err != nil {
				t.Fatal(err)
			}
			_, err = c.Deploy(t.Context(), client.Deploy{App: declared})
			if fairlead.CodeOf(err) != fairlead.Forbidden || strings.Contains(err.Error()+fairlead.HintOf(err), "a wrong one") {
				t.Errorf("with a wrong password: %v", err)
			}
			if _, err := c.SetSecret(t.Context(), "production", "registry", client.SecretValue{Value: []byte(user + ":" + password)}); err != nil {
				t.Fatal(err)
			}
			deployed, err := c.Deploy(t.Context(), client.Deploy{App: declared})
			if err != nil {
				t.Fatal(err)
			}
			if hub.admitted.Load() == 0 || deployed.Release.Number != 1 {
				t.Errorf("release %d was made, and the registry was opened %d times", deployed.Release.Number, hub.admitted.Load())
			}
			var list []struct{ ID string }
			real.Ask(t, http.MethodGet, "/images/json?all=1", nil, &list)
			for _, i := range list {
				var inspected any
				real.Ask(t, http.MethodGet, "/images/"+i.ID+"/json", nil, &inspected)
				if form := clearly(toJSON(t, inspected), user, password); form != "" {
					t.Errorf("the engine shows the password (%s) of %s", form, i.ID)
				}
			}
			if form := clearly([]byte(real.Said()), user, password); form != "" {
				t.Errorf("the engine's log has the password (%s)", form)
			}
			if err := h.images.Close(); err != nil {
				t.Error(err)
			}
			h.stop() // all is written
			if form := clearly(logged.Bytes(), user, password); form != "" {
				t.Errorf("the log has the password (%s)", form)
			}
			nowhere(t, state, user, password)
		})
	}
}

// nowhere fails where a file below a directory holds a password. The files of the
// ledger must be among them.
func nowhere(t *testing.T, dir, user, password string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if files++; clearly(data, user, password) != "" {
			t.Errorf("%s holds the password (%s)", path, clearly(data, user, password))
		}
		return err
	})
	if err != nil || files < 3 {
		t.Errorf("of %s %d files were looked at: %v", dir, files, err)
	}
}

func toJSON(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
