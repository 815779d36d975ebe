package progress

import (
	"fmt"
	"strings"

	"github.com/fairlead/fairlead/api/client"
)

// Line says where a rollout is in one line without colours, for a pipe.
func Line(r client.Rollout) string {
	head := fmt.Sprintf("%s@%d in %s: %s", r.App, r.To, r.Env, doing(r))
	switch {
	case r.Phase == "stepping" && r.Held == "":
		head = fmt.Sprintf("%s@%d in %s: step %d of %d, %s", r.App, r.To, r.Env, r.Step, len(r.Weights), stepShare(r))
	case Judged(r):
		head += ", " + r.Weight.String()
	}
	parts := []string{head}
	if Judged(r) {
		e := EvidenceOf(r)
		if e.Safety.Needed > 0 {
			parts = append(parts, "evidence of safety "+e.Safety.String())
		}
		if e.Harm.Needed > 0 {
			parts = append(parts, "of harm "+e.Harm.String())
		}
	}
	text := strings.Join(parts, ", ") + Left(r)
	if name, _, found := strings.Cut(r.Waits, ":"); found {
		text += "; waits for " + name
	}
	if r.Canary.Requests > 0 {
		text += "; failed: new " + armText(r.Canary) + ", old " + armText(r.Stable)
	}
	if unseen(r) {
		text += "; " + noRequests
	}
	return Clean(text)
}

// noRequests is what a rollout lacks that nobody calls.
const noRequests = "no request has come yet, and without requests nothing is proven"

// unseen reports whether a rollout waits for requests that do not come.
func unseen(r client.Rollout) bool {
	came := r.Canary.Requests
	if copiesOnly(r) {
		came = r.Stable.Requests
	}
	return r.Phase == "stepping" && r.Outcome == "" && r.Held == "" && came == 0
}

// copiesOnly reports whether a step gives the new release copies of requests only.
func copiesOnly(r client.Rollout) bool { return r.Phase == "stepping" && r.Weight == 0 }

// stepShare says what a step gives the new release.
func stepShare(r client.Rollout) string {
	if copiesOnly(r) {
		return "copies only"
	}
	return r.Weight.String()
}

// sentence begins a sentence of a rollout's story with its release, once.
func sentence(r client.Rollout, text string) string {
	release := fmt.Sprintf("%s@%d", r.App, r.To)
	if strings.HasPrefix(text, release+" ") {
		return text
	}
	return release + ": " + text
}

func armText(a client.Arm) string {
	return fmt.Sprintf("%s of %s", Share(a.Failed, a.Requests), Count(a.Requests))
}

// Teller turns the states of one rollout into the lines that a pipe gets: each
// sentence of its story once, and a line of progress when that has changed in a
// way that a reader wants to know. The zero Teller is ready.
type Teller struct {
	told int
	mark string // phase, step, weight and hold of the last line
	line string
}

// Tell returns the lines for r. With due it also gives a line of progress if that
// differs from the last one; the caller decides how often that is.
func (t *Teller) Tell(r client.Rollout, due bool) []string {
	var lines []string
	for ; t.told < len(r.Story); t.told++ {
		lines = append(lines, sentence(r, Clean(r.Story[t.told])))
	}
	mark := fmt.Sprint(r.Phase, r.Step, r.Weight, r.Held)
	if line := Line(r); !Over(r) && line != t.line && (mark != t.mark || due) {
		lines = append(lines, line)
		t.line = line
	}
	t.mark = mark
	return lines
}
