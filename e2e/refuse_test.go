package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/workload"
)

func TestWhatCannotBeReleasedSaysWhyAndWhatToDo(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.deploy(0, behaviour{Version: "v1"}, appFile{})
	for _, one := range []struct {
		what, artifact string
		says           []string
	}{
		{"a repository that is not there", "{from: {git: ./nothing}}", []string{"nothing"}},
		{"a build that fails", "{from: {git: ./repo, build: [./app, fail]}}", []string{"build", "exit status 1"}},
		{"a build that makes nothing", "{from: {git: ./repo, directory: out}}", []string{"out"}},
	} {
		repo := filepath.Join(w.dir, "repo")
		if _, err := os.Stat(repo); err != nil {
			w.lay(behaviour{Version: "repo", Exit: true}, appFile{})
			w.git(repo, "init", "-q")
			w.git(repo, "add", ".")
			w.git(repo, "commit", "-q", "-m", "x")
		}
		p := w.refused(1, "deploy", "-f", w.lay(behaviour{Version: "other"}, appFile{artifact: one.artifact}))
		w.says(p, one.says...)
		if p.Code == "internal" {
			t.Errorf("%s is a fault of the caller: %s", one.what, p)
		}
	}
	other := w.lay(behaviour{Version: "other"}, appFile{lines: "  route: {host: " + w.host() + "}\n"})
	text, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	write(w, other, strings.Replace(string(text), "name: "+w.named, "name: thief", 1))
	w.says(w.refused(1, "deploy", "-f", other), "conflict", w.named)
	if r := w.run("releases", "thief"); r.code != 1 {
		t.Errorf("the refused deploy left a release: %s", r)
	}
	w.says(w.refused(1, "secret", "rotate", "nothing", "--env", "production", "--file", other), "not_found")
	w.exits(2, "secret", "set", "x", "value", "--env", "production")
	w.exits(2, "secret", "set", "x")
	w.says(w.refused(1, "deploy", "-f", w.lay(behaviour{Version: "secretive"}, appFile{lines: "  secrets: [{name: token}]\n"})),
		"conflict", "fairlead secret set token --env production")
	w.refused(1, "deploy", "-f", w.lay(behaviour{Version: "lost"}, appFile{}), "--env", "moon")
	if all := see[[]client.Release](w, "releases", w.named); len(all) != 1 {
		t.Errorf("what was refused made releases: %d of them", len(all))
	}
	if left, _ := filepath.Glob(filepath.Join(w.state, "scratch", "*")); len(left) > 0 {
		t.Errorf("builds left %v", left)
	}
}

func TestARequiredSandboxIsWholeAndRecorded(t *testing.T) {
	t.Parallel()
	w := start(t)
	file := appFile{environments: "    - {name: production, sandbox: required}\n"}
	w.deploy(0, behaviour{Version: "v1"}, file)
	i := w.site().Instances[0]
	if len(i.Protections) < 10 {
		t.Errorf("recorded: %+v", i.Protections)
	}
	var recorded struct{ Protections []workload.Protection }
	if err := json.Unmarshal(w.last("instance.started").Data, &recorded); err != nil || len(recorded.Protections) != len(i.Protections) {
		t.Errorf("the ledger has %+v of this start, %v", recorded, err)
	}
	if i.State != workload.Ready {
		t.Errorf("%+v", i)
	}
}

func TestAReleaseIsNotPromotedToWhereItsSecretsAreMissing(t *testing.T) {
	t.Parallel()
	w := start(t)
	file := appFile{lines: "  secrets: [{name: token}]\n", environments: "    - {name: dev}\n    - {name: production}\n"}
	if r := w.feed("for dev", "secret", "set", "token", "--env", "dev"); r.code != 0 {
		t.Fatal(r)
	}
	w.deploy(0, behaviour{Version: "v1"}, file)
	w.says(w.refused(1, "promote", w.named+"@1", "--to", "production"), "conflict", "token", "secret set token --env production")
}

func TestCtrlCEndsTheWatchingOnly(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.deploy(0, behaviour{Version: "v1"}, appFile{})
	deploy := w.command("deploy", "-f", w.lay(behaviour{Version: "v2"}, appFile{}), "--wait")
	if err := deploy.Start(); err != nil {
		t.Fatal(err)
	}
	w.reaches("partial", partial)
	_ = deploy.Process.Signal(syscall.SIGINT)
	done := make(chan struct{})
	go func() { _ = deploy.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("it does not end")
	}
	if code := deploy.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit status %d", code)
	}
	if r := w.rollout(); !partial(r) {
		t.Errorf("the rollout is %s", r.Phase)
	}
}
