package api

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/figures"
)

// told is what entries of several kinds tell about themselves. Each kind has some of it.
type told struct {
	Text     string                  `json:"text"`
	Notes    []struct{ Text string } // of a rollout that begins
	Release  string                  `json:"release"`
	Target   string                  `json:"target"`
	Error    string                  `json:"error"`
	Gate     string                  `json:"gate"`
	ExitCode *int                    `json:"exitCode"`
	Took     fairlead.Duration       `json:"took"`
	Name     string                  `json:"name"` // of a secret
	Versions []int                   `json:"versions"`
	Term     uint64                  `json:"term"`
	Version  string                  `json:"version"` // of the program
	Shift    *shifted                `json:"shift"`
	Loosened []string                `json:"loosened"` // what a release's containers may do beyond the default
	Detail   json.RawMessage         `json:"detail"`   // of an intent
}

type shifted struct {
	Weight fairlead.Weight `json:"weight"`
}

// sentence puts an entry in words. Decisions carry their own.
func sentence(e fairlead.Entry) string {
	var t told
	_ = json.Unmarshal(e.Data, &t) // an entry without these fields has no words but its kind
	switch {
	case e.Kind == "gateway.started":
		return "the gateway serves: " + t.Text
	case t.Text != "":
		return t.Text
	case len(t.Notes) > 0:
		return t.Notes[0].Text
	}
	switch e.Kind {
	case "release.created":
		return t.Release + " is recorded" + t.loosened()
	case "release.policy":
		return t.Release + " follows a newer file's policy; its content is the same" + t.loosened()
	case "instance.start", "instance.started", "instance.startedFailed", "instance.stop", "instance.stopped", "instance.stoppedFailed":
		return t.ofInstance(e.Kind)
	case "traffic.shift":
		var to shifted
		_ = json.Unmarshal(t.Detail, &to) // without it, no traffic is ordered
		return fmt.Sprintf("the gateway is to give the new release %s of the traffic", to.Weight)
	case "gate.run", "gate.passed", "gate.failed", "gate.interrupted":
		return t.ofGate(e.Kind)
	case "secret.set":
		if len(t.Versions) > 0 {
			return fmt.Sprintf("%s has a version %d", t.Name, t.Versions[0])
		}
	case "secret.removed":
		return fmt.Sprintf("%s is removed, with what its %s held", t.Name, versions(len(t.Versions)))
	case "server.started":
		return fmt.Sprintf("the control plane starts: version %s, term %d", t.Version, t.Term)
	}
	return t.anyhow()
}

func (t told) loosened() string {
	if len(t.Loosened) == 0 {
		return ""
	}
	return "; its containers are loosened: " + strings.Join(t.Loosened, ", ")
}

// anyhow is the words of an entry of any other kind.
func (t told) anyhow() string {
	switch {
	case t.Shift != nil:
		return fmt.Sprintf("the new release has %s of the traffic", t.Shift.Weight)
	case t.Error != "":
		return t.Target + ": " + t.Error
	case t.Target != "":
		return t.Target
	}
	return t.Release
}

func (t told) ofInstance(kind string) string {
	what := map[string]string{
		"instance.start": "is to start", "instance.started": "is started", "instance.startedFailed": "could not be started",
		"instance.stop": "is to stop", "instance.stopped": "has stopped", "instance.stoppedFailed": "could not be stopped",
	}[kind]
	if t.Error != "" {
		what += ": " + t.Error
	}
	return t.Target + " " + what
}

func (t told) ofGate(kind string) string {
	switch {
	case kind == "gate.run":
		return "gate " + cmp.Or(t.Gate, t.Target) + " is to run"
	case kind == "gate.interrupted":
		return "gate " + t.Gate + " came to nothing: " + t.Error
	case kind == "gate.failed" && t.ExitCode != nil:
		return fmt.Sprintf("gate %s failed for %s: exit status %d after %s", t.Gate, t.Release, *t.ExitCode, figures.Elapsed(t.Took.D()))
	case kind == "gate.failed":
		return "gate " + t.Gate + " failed for " + t.Release
	}
	return fmt.Sprintf("gate %s passed for %s after %s", t.Gate, t.Release, figures.Elapsed(t.Took.D()))
}

func versions(n int) string {
	if n == 1 {
		return "version"
	}
	return fmt.Sprintf("%d versions", n)
}
