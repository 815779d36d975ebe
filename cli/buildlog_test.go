package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

func TestTheLogOfABuildIsPrintedWithoutWhatSteersATerminal(t *testing.T) {
	log := "Step 1/2 : FROM scratch\n\x1b[31mred\x1b[0m\r\nthe end"
	digest := fairlead.DigestOf([]byte(log))
	releases := map[string]client.Release{
		"7": {App: "triage", Number: 7, Content: fairlead.Content{Image: &fairlead.Image{BuildLog: digest}}},
		"8": {App: "triage", Number: 8, Content: fairlead.Content{Image: &fairlead.Image{}}},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/apps/{app}/releases/{number}", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(releases[r.PathValue("number")])
	})
	mux.HandleFunc("GET /v1/blobs/{digest}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("digest") == string(digest) {
			fmt.Fprint(w, log)
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	w := newWorld(t)
	status, out, errOut := w.run("releases", "triage@7", "--build-log", "--server", server.URL)
	if status != ExitDone || !strings.HasPrefix(out, "Step 1/2 : FROM scratch\n") || strings.ContainsAny(out, "\x1b\r") || !strings.HasSuffix(out, "\nthe end\n") {
		t.Errorf("status %d: %q %s", status, out, errOut)
	}
	if status, _, errOut := w.run("releases", "triage@8", "--build-log", "--server", server.URL); status != ExitFailed || !strings.Contains(errOut, "it was not built by Fairlead") {
		t.Errorf("one without a build: status %d: %s", status, errOut)
	}
}
