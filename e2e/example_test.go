package e2e

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/examples/triage/release"
)

func TestTheExamplesDeployFromTheirOwnFilesAndAnswer(t *testing.T) {
	t.Parallel()
	w := start(t)
	triage, agent := filepath.Join(w.dir, "triage"), filepath.Join(w.dir, "agent")
	if err := os.MkdirAll(triage, 0o755); err != nil {
		t.Fatal(err)
	}
	copyFile(w, "../examples/triage/fairlead.yaml", filepath.Join(triage, "fairlead.yaml"))
	if err := release.Write(filepath.Join(triage, "dist"), built.triage, "v1"); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(agent, os.DirFS("../examples/agent-python")); err != nil {
		t.Fatal(err)
	}
	w.must("deploy", "-f", filepath.Join(triage, "fairlead.yaml"), "--wait")
	answer := w.post("triage.localhost", "/v1/chat/completions", `{"model":"triage","messages":[{"role":"user","content":"I was charged twice, please refund me."}]}`)
	if !strings.Contains(answer, "billing") {
		t.Errorf("triage answers %s", answer)
	}
	if _, err := os.Stat("/usr/bin/python3"); err != nil {
		t.Skip("no Python for the agent example")
	}
	w.must("deploy", "-f", filepath.Join(agent, "fairlead.yaml"), "--wait")
	answer = w.post("agent.localhost", "/v1/tasks", `{"task": "12 * (3 + 4)"}`, "Fairlead-Run", "run-1")
	if !strings.Contains(answer, "84") {
		t.Errorf("the agent answers %s", answer)
	}
	w.proven()
}

// post sends a JSON body to an app and returns its answer, which must be 200.
func (w *world) post(host, path, body string, headers ...string) string {
	w.Helper()
	r, err := http.NewRequest("POST", "http://"+host+path, bytes.NewReader([]byte(body)))
	if err != nil {
		w.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	c := &connection{address: w.plane.at.Gateway}
	defer c.close()
	a, err := c.do(r)
	if err != nil {
		w.Fatal(err)
	}
	var text bytes.Buffer
	_, _ = text.ReadFrom(a.Body)
	if a.StatusCode != 200 {
		w.Errorf("POST %s%s: %s %s", host, path, a.Status, &text)
	}
	return text.String()
}
