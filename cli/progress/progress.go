// Package progress draws a rollout for people: as a frame of lines that a
// terminal redraws in place, and as single lines for a pipe. Drawing is pure: the
// same rollout, time and style give the same text. Text that came from outside,
// such as a reason, is stripped of control characters and cut to the width, so
// that it can neither steer the terminal nor break the frame.
package progress

import (
	"fmt"
	"strings"
	"time"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/internal/figures"
)

// Over reports whether a rollout needs no more watching: it has an outcome and the
// traffic has moved, or it is held and waits for a person. A pause is not the end:
// who paused it resumes it.
func Over(r client.Rollout) bool {
	return r.Outcome != "" && r.Phase != "returning" && !r.Shifting || r.Held != "" && r.Held != "paused"
}

// Summary says in one line how a rollout ended or where it stands, and why.
func Summary(r client.Rollout) string {
	text := standing(r)
	if why := reason(r, fmt.Sprintf("%s@%d", r.App, r.To)); why != "" {
		text += ": " + why
	}
	return Clean(text)
}

// End is Summary for who has read the rollout's story: it does not say again why, where
// that was the last of it.
func End(r client.Rollout) string {
	if n := len(r.Story); n > 0 && r.Story[n-1] == r.Reason {
		return Clean(standing(r))
	}
	return Summary(r)
}

// standing says how r ended or what it does, without why.
func standing(r client.Rollout) string {
	release := fmt.Sprintf("%s@%d", r.App, r.To)
	after := ""
	if !r.Decided.IsZero() {
		after = " after " + Elapsed(r.Decided.Sub(r.Started))
	}
	switch r.Outcome {
	case client.Promoted:
		return fmt.Sprintf("%s is promoted in %s%s", release, r.Env, after)
	case client.RolledBack:
		return fmt.Sprintf("%s is rolled back in %s%s; %s takes the traffic", release, r.Env, after, releaseName(r.App, r.From))
	case client.Failed:
		return fmt.Sprintf("%s failed in %s%s and took no traffic", release, r.Env, after)
	case client.Aborted:
		return fmt.Sprintf("%s is aborted in %s%s", release, r.Env, after)
	}
	return fmt.Sprintf("%s is %s in %s at %s", release, doing(r), r.Env, r.Weight)
}

// reason returns why r stands so, without what Summary says before it.
func reason(r client.Rollout, release string) string {
	if why, ok := strings.CutPrefix(r.Reason, release+" took no traffic: "); ok {
		return why
	}
	if why, ok := strings.CutPrefix(r.Reason, release+" "); ok {
		return "it " + why
	}
	return r.Reason
}

// Words writes an outcome as words: "rolled back" for rolledBack.
func Words(outcome string) string {
	if outcome == string(client.RolledBack) {
		return "rolled back"
	}
	return outcome
}

// Standing says in two or three words how a rollout ended or what it does.
func Standing(r client.Rollout) string {
	switch {
	case r.Outcome != "":
		return Words(string(r.Outcome))
	case r.Phase == "stepping" && r.Held == "":
		return fmt.Sprintf("step %d of %d, %s", r.Step, len(r.Weights), stepShare(r))
	}
	return doing(r)
}

// doing says what a moving rollout does.
func doing(r client.Rollout) string {
	if r.Held != "" {
		return "held (" + r.Held + ")"
	}
	switch r.Phase {
	case "gating":
		return "waiting for its gates"
	case "clearing":
		return "waiting until the old release has ended; requests wait too"
	case "starting":
		return "starting its instances"
	case "stepping":
		return "on step " + StepText(r)
	case "watching":
		return "watched after its promotion"
	case "returning":
		return "going back"
	}
	return r.Phase
}

// releaseName returns app@number, or a word for no release.
func releaseName(app string, number int) string {
	if number == 0 {
		return "no release"
	}
	return fmt.Sprintf("%s@%d", app, number)
}

// Elapsed writes a duration as people say it: "0.4 s", "12 s", "3 min 20 s", "2 h 5 min".
func Elapsed(d time.Duration) string { return figures.Elapsed(d) }

// Count writes a whole number with commas between thousands.
func Count(n uint64) string { return figures.Count(n) }

// Share writes a part of a whole as a percentage with a useful number of digits,
// or "-" when there is nothing to divide by.
func Share(part, whole uint64) string { return figures.Share(part, whole) }

// StepText says which step a rollout is on, such as "1 of 3 (25 %, 50 %, 95 %)". The
// last step is what its promotion gives.
func StepText(r client.Rollout) string {
	if len(r.Weights) < 2 {
		return "all at once"
	}
	shares := make([]string, len(r.Weights))
	for i, w := range r.Weights {
		shares[i] = w.String()
	}
	return fmt.Sprintf("%d of %d (%s)", r.Step, len(r.Weights), strings.Join(shares, ", "))
}

// Judged reports whether there is traffic on both releases to learn from.
func Judged(r client.Rollout) bool { return r.Phase == "stepping" || r.Phase == "watching" }

// Clean returns text without control characters, so that it cannot steer a terminal.
func Clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n':
			return ' '
		case r < 0x20, r >= 0x7f && r < 0xa0, r == '\u2028', r == '\u2029', r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return -1
		}
		return r
	}, text)
}
