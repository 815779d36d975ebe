package container_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload/container"
	"github.com/fairlead/fairlead/workload/container/enginetest"
)

// TestARegistryThatRepeatsItsPasswordIsNotQuoted has a registry answer with what it was
// sent, in each form, and with what would steer a terminal.
func TestARegistryThatRepeatsItsPasswordIsNotQuoted(t *testing.T) {
	const user, password = "ann", "p4ss/w0rd+of ann"
	asked := false
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, given, ok := r.BasicAuth()
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		asked = asked || ok
		says := "who are you?"
		if ok {
			says = fmt.Sprintf("\x1b[2J\x1b]0;owned\a no %s:%s, nor %s, nor https://ann:%s@host/", sent, given, r.Header.Get("Authorization"), "elsewhere")
		}
		json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]any{{"code": "DENIED", "message": says}}})
	}))
	t.Cleanup(registry.Close)
	name := strings.TrimPrefix(registry.URL, "http://") + "/team/app:1"
	credentials, err := container.ReadCredentials([]byte(user+":"+password+"\n"), name)
	if err != nil {
		t.Fatal(err)
	}
	withEngines(t, func(t *testing.T, e *container.Engine, _ *enginetest.Engine) {
		asked = false
		_, err := e.Pull(t.Context(), container.Pull{Name: name, Credentials: credentials, Attempts: 1})
		if fairlead.CodeOf(err) != fairlead.Forbidden || !asked {
			t.Fatalf("%v, the registry was sent the password: %v", err, asked)
		}
		for _, secret := range []string{password, base64.StdEncoding.EncodeToString([]byte(user + ":" + password)), "elsewhere", "\x1b", "\a"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%q stands in: %v", secret, err)
			}
		}
	})
}

func TestWhatABuildSaysIsFitToBeShown(t *testing.T) {
	withEngines(t, func(t *testing.T, e *container.Engine, _ *enginetest.Engine) {
		var told []string
		file := "FROM scratch\nLABEL from=https://ann:hunter2@git.example/team with=ghp_abcdefghijklmnopqrstuvwxyz\nCOPY none /none\n"
		_, log, err := e.Build(t.Context(), container.Build{
			Context: bytes.NewReader(packed(t, lay(t, map[string]string{"Dockerfile": file}))), Dockerfile: "Dockerfile", Within: time.Minute,
			Tell: func(p fairlead.Progress) { told = append(told, p.Detail) },
		})
		if err == nil || !strings.Contains(string(log), "[removed]git.example") || !strings.Contains(strings.Join(told, "\n"), "[removed]git.example") {
			t.Errorf("%v, %q:\n%s", err, told, log)
		}
		for _, text := range append(told, string(log), fmt.Sprint(err)) {
			if strings.Contains(text, "hunter2") || strings.Contains(text, "ghp_") || strings.Contains(text, "\x1b") {
				t.Errorf("a password is shown, or a terminal steered: %q", text)
			}
		}
	})
}

func TestThePasswordOfAnEnginesURLIsNotShown(t *testing.T) {
	_, err := container.Open(t.Context(), "tcp://ann:hunter2@engine.example:2376")
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "engine.example:2376") {
		t.Errorf("%v", err)
	}
	if shown := container.ShownHost("ssh://ann:hunter2@host"); strings.Contains(shown, "hunter2") {
		t.Errorf("%s", shown)
	}
}
