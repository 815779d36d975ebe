package rollout

import (
	"time"

	"github.com/fairlead/fairlead"
)

// Stages returns the instances that a site should have from now until its rollout has
// ended, one stage after the other, if all goes well: what Desire will say as the
// rollout goes from step to step. It is pure.
//
// The way back is no stage of it: traffic returns to instances that are there, and
// what the old release gave up it gets back as the new one's instances leave.
func Stages(live Live, r *Rollout) []Want {
	stages := []Want{Desire(live, r)}
	if r == nil || r.Phase == Ended {
		return stages
	}
	if r.Phase == Returning {
		return append(stages, Want{r.From: r.OldReplicas})
	}
	next := *r
	if r.Outcome == "" {
		for step := max(r.Step, 1); step <= len(r.Weights); step++ {
			next.Phase, next.Step = Starting, step
			stages = append(stages, Desire(live, &next))
			next.Phase, next.Weight = Stepping, r.Weights[step-1]
			stages = append(stages, Desire(live, &next))
		}
		next.Phase, next.Outcome, next.Weight = Watching, Promoted, r.Final()
		if r.Watched() {
			stages = append(stages, Desire(live, &next))
		}
	}
	return append(stages, Want{r.To: r.Replicas})
}

// StagesOf returns the stages of the rollout that a beginning would make at a site
// where live is so.
func StagesOf(b Beginning, live Live) []Want {
	r := newRollout(b, live, time.Time{}, zeroes{})
	if r.Phase == Ended { // the live release, whose replicas follow the file
		return []Want{{r.To: r.Replicas}}
	}
	return Stages(live, &r)
}

// zeroes is the chance of a rollout that is not to be.
type zeroes struct{}

// Read implements io.Reader.
func (zeroes) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// Live returns what is live at a site; its zero value with the site before the first release.
func (e *Engine) Live(site fairlead.Site) Live {
	e.mu.Lock()
	defer e.mu.Unlock()
	live := e.live[site]
	live.Site = site
	return live
}
