package console

import (
	"fmt"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

// standing says in two or three words how a rollout ended or what it does.
func standing(r client.Rollout) string {
	switch {
	case r.Outcome != "" && r.Phase == "returning":
		return outcome(r.Outcome) + ", traffic goes back"
	case r.Held != "":
		return "held: " + r.Held
	case r.Outcome == client.Promoted && r.Phase == "watching":
		return "promoted, watched"
	case r.Outcome != "":
		return outcome(r.Outcome)
	}
	switch r.Phase {
	case "gating":
		return "waits for its gates"
	case "clearing":
		return "takes the place of the old release"
	case "starting":
		return "starts its instances"
	case "stepping":
		return stepWords(r)
	case "watching":
		return "promoted, watched"
	case "returning":
		return "goes back"
	}
	return r.Phase
}

func stepWords(r client.Rollout) string {
	share := r.Weight.String()
	if r.Weight == 0 {
		share = "copies only"
	}
	if len(r.Weights) < 2 {
		return share
	}
	return fmt.Sprintf("step %d of %d, %s", r.Step, len(r.Weights), share)
}

// tone is the badge's tone of a rollout.
func tone(r client.Rollout) string {
	switch {
	case r.Held != "":
		return "held"
	case r.Outcome == client.Promoted:
		return "safe"
	case r.Outcome == client.RolledBack || r.Outcome == client.Failed:
		return "harm"
	case r.Outcome != "":
		return "quiet"
	}
	return "move"
}

// stepsOf are a rollout's steps for drawing: what each gives, and whether it is done, now
// or next. While the instances for the first step start, it is still to come. Of one that ended early, the step it was in is where it ended, and the later ones
// are unreached: nothing comes next.
func stepsOf(r client.Rollout) []step {
	steps := make([]step, len(r.Weights))
	over := r.Outcome == client.Promoted
	for i, w := range r.Weights {
		steps[i] = step{Weight: w, State: "next"}
		switch {
		case over || i+1 < r.Step:
			steps[i].State = "done"
		case i+1 == r.Step && r.Outcome == "" && !r.StepBegan.IsZero():
			steps[i].State = "now"
		case i+1 == r.Step && !r.StepBegan.IsZero():
			steps[i].State = "ended"
		case r.Outcome != "":
			steps[i].State = "unreached"
		}
	}
	return steps
}

// step is one step of a rollout for drawing.
type step struct {
	Weight fairlead.Weight
	State  string // done, now or next; after an early end also ended or unreached
}

// Label is what the step gives: a share, or nothing but copies of requests.
func (s step) Label() string {
	if s.Weight == 0 {
		return "copies"
	}
	return s.Weight.String()
}
