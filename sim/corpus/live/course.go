package live

import (
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/sim/corpus"
)

// Course is one rollout: the machine of a live one, fed with blocks once a second. It
// is not safe for concurrent use.
type Course struct {
	machine *rollout.Machine
	frozen  rollout.Input // what was frozen of the old release
	groups  [2]rollout.Group
}

// Beginnings are rollouts as an engine begins them, to be copied: of an application
// that the gateway observes alone, of one that reports too, and of one whose answers
// are judged in two halves.
type Beginnings struct{ api, chat, half rollout.Rollout }

// Begin returns the rollouts that courses start from.
func Begin() (b Beginnings, err error) {
	if b.api, err = begin(apiFile); err != nil {
		return b, err
	}
	if b.chat, err = begin(chatFile); err != nil {
		return b, err
	}
	b.half, err = begin(halfFile)
	return b, err
}

// NewCourse returns a course whose old release showed frozen: Frozen, First and
// Amounts of an input.
func (b Beginnings) NewCourse(reports bool, frozen rollout.Input) *Course {
	r := b.api
	if reports {
		r = b.chat
	}
	return &Course{machine: rollout.NewMachine(r), frozen: frozen}
}

// Halves returns a course whose only step is one half, of an application that reports
// task-success.
func (b Beginnings) Halves() *Course { return &Course{machine: rollout.NewMachine(b.half)} }

// Rollout returns the rollout as it is now.
func (c *Course) Rollout() rollout.Rollout { return c.machine.Rollout() }

// readiness is how long an instance has to get ready: the default of an App file.
const readiness = time.Minute

// crashes in a row after which an instance is not started again, as package
// workload/local has it.
const crashes = 5

// observe takes what is seen of instances in a second that ends at now.
func (c *Course) observe(now time.Duration, instances [2]corpus.Instances) {
	for arm, seen := range instances {
		g := &c.groups[arm]
		g.Ready = seen.Ready
		if seen.Ready > 0 { // more instances, which a step waits for, get ready at once in these worlds
			g.Ready += corpus.Replicas - seen.Wanted
		}
		g.Restarts += seen.Restarts
		g.Seconds += float64(seen.Wanted)
	}
	canary := instances[corpus.Canary]
	switch g := &c.groups[corpus.Canary]; {
	case canary.Looping && g.Restarts >= crashes*canary.Wanted:
		g.Broken = "crash loop: exit status 1"
	case canary.Ready == 0 && g.Restarts == 0 && now >= readiness:
		g.Broken = "crash loop: not ready within 1m"
	}
}

// Feed gives the machine a second's blocks, until nothing more is decided, and
// returns what holds from then on.
func (c *Course) Feed(now time.Duration, blocks []fairlead.Block, instances [2]corpus.Instances) corpus.Decision {
	c.observe(now, instances)
	in := rollout.Input{
		Now: Epoch().Add(now), Blocks: c.machine.Fresh(blocks), Gates: rollout.GateState{Satisfied: true},
		Old: c.groups[corpus.Stable], New: c.groups[corpus.Canary], Applied: c.machine.Rollout().Epoch,
	}
	if c.machine.Rollout().FirstTraffic.IsZero() {
		in.Frozen, in.First, in.Amounts = c.frozen.Frozen, c.frozen.First, c.frozen.Amounts
	}
	for {
		d, _, err := c.machine.Take(in)
		if err != nil {
			panic("an input of finite numbers does not encode: " + err.Error()) // cannot happen
		}
		if d.Kind == "" {
			return c.decision()
		}
		in.Blocks, in.Applied = nil, c.machine.Rollout().Epoch
	}
}

// decision is what the machine wants, in the corpus' words.
func (c *Course) decision() corpus.Decision {
	r := c.machine.Rollout()
	d := corpus.Decision{Weight: float64(r.Weight) / float64(fairlead.Whole)}
	if n := len(r.Notes); n > 0 {
		d.Why = r.Notes[n-1].Text
	}
	switch {
	case r.Outcome == rollout.RolledBack || r.Outcome == rollout.Failed:
		d.State = corpus.RolledBack
		if n := len(r.Notes); r.Phase == rollout.Ended && n > 1 && r.Outcome == rollout.RolledBack {
			d.Why = r.Notes[n-2].Text // the last one says that traffic is back
		}
	case r.Outcome == rollout.Promoted && r.Phase == rollout.Ended:
		d.State = corpus.Finished
	case r.Outcome == rollout.Promoted:
		d.State = corpus.Promoted
	}
	return d
}
