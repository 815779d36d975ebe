// Package judge decides from observation blocks whether a release is harmful,
// safe, or neither is proven yet.
//
// It compares the canary with the stable arm at the same time, never with the
// past. Its evidence are e-processes: numbers that grow beyond 1/alpha with
// probability at most alpha if the hypothesis they speak against is true,
// however often one looks (Ville's inequality). What they mean, their sources
// and the choices taken stand in docs/design/judge.md.
//
// A judge is a pure function of the calls it got, in their order: no clock, no
// chance, no I/O, so that a recorded rollout replays to the same verdicts. It is
// not safe for concurrent use. A rollout has one judge:
//
//	j := judge.New(config)
//	j.Step(1, 1000, warmup)
//	for each block { j.Observe(block); act on j.Verdict() }
package judge

import (
	"fmt"
	"math"
	"time"

	"github.com/fairlead/fairlead"
)

// Config is what a rollout's strategy says of judging. New fills nothing in and
// checks nothing: Alpha and Beta lie in (0,1), Tolerance is positive, MarginRatio
// above Tolerance and MarginAbsolute in (0,1).
type Config struct {
	Alpha          float64 // highest probability of calling a release harmful that is no worse
	Beta           float64 // highest probability of calling one safe that is beyond the margins
	Tolerance      float64 // odds ratio up to which a release is no worse
	MarginRatio    float64 // odds ratio that must be excluded
	MarginAbsolute float64 // risk difference that must be excluded, as a share
	Latency        bool    // thresholds are known: latency is judged, and protected
	First          bool    // likewise, the time to the first byte
	Adaptive       bool    // the weight follows the evidence: see Bound

	Reported []Reported // what apps, graders and users report
	Mirror   bool       // mirrored requests are compared in pairs
}

// Reported is a signal that is reported, as the strategy declares it.
type Reported struct {
	Name           string
	Kind           string // fairlead.KindFailure and so on
	Protected      bool   // each step must prove that it is not harmed
	MarginRatio    float64
	MarginAbsolute float64
	Delay          time.Duration // in which almost all reports came before the rollout; 0 where that is not known
	Thresholds     [3]float64    // of an amount: the old release's frozen p50, p90, p99; all 0 where it had too few reports, and then it is not judged
}

// Judge is the evidence of one rollout. Make it with New.
type Judge struct {
	config Config

	epoch, first uint32 // now, and of the first step
	begun        bool
	weight       fairlead.Weight
	warmup       int64 // seconds at the step's beginning
	warmUntil    int64 // end of the warm-up; 0 before the step's first cell

	streams streams
	cells   map[cellKey]*cell // that are not complete, or have not had their turn to count for safety
	past    past              // test blocks of cells that may be complete
	newest  int64             // second of the newest cell

	// Evidence of harm, of the whole rollout.
	open       *group  // takes the units that arrive
	groups     int     // opened so far
	begunCells int     // so far
	latency    latency // the way of complete cells to evidence of harm
	harm       *onsets
	onset      int64            // second of the newest onset
	worst      fairlead.Verdict // once harmful, always harmful
	// Evidence of safety, of the step or since the last interruption.
	queue    []*cell // of the epoch, in order of arrival, not judged yet
	from     int64   // cells of earlier seconds are left out
	patience int64   // seconds of age that a complete cell needs to count
	hit      memory
	merged   *group // takes complete cells
	safe     [fairlead.Signals]*safety
	afresh   string // why evidence of safety was started afresh in this step
	reach    *reach // nil where the weight does not follow the evidence

	// What else is known of the rollout and its epoch.
	assignment *assignment
	incident   incident
	trend      trend
	traffic    traffic
	totals     totals
	reports    reports // what is reported, and mirrored pairs
	budget     budget  // the signals, with their shares of alpha
	estimates  [fairlead.Signals]estimate
}

// New returns a judge without evidence. It takes no evidence before Step.
func New(c Config) *Judge {
	j := &Judge{
		config:  c,
		streams: streams{next: map[string]uint64{}},
		cells:   map[cellKey]*cell{},
		harm:    newOnsets(c.Tolerance),
		reports: newReports(c),
	}
	j.budget = newBudget(j)
	j.startSafety(0)
	return j
}

// Step begins a step: an epoch at a weight. Evidence of safety starts afresh;
// evidence of harm stays. Latency is not judged in the first seconds of the epoch,
// warmup of them, from its first cell on: the time of cells is the gateway's, which
// another machine's clock says nothing of. Failures always are judged.
func (j *Judge) Step(epoch uint32, weight fairlead.Weight, warmup time.Duration) {
	if j.begun {
		j.beginOnset()
	} else {
		j.begun, j.first = true, epoch
	}
	j.epoch, j.weight, j.afresh = epoch, weight, ""
	j.warmup, j.warmUntil = int64(math.Ceil(warmup.Seconds())), 0
	j.assignment = newAssignment(weight)
	j.startSafety(0)
}

// Interrupt starts evidence of safety afresh because of reason, such as a lease
// that ran out; evidence of harm stays. Cells that have begun do not count for
// safety any more.
func (j *Judge) Interrupt(reason string) {
	j.afresh = reason
	j.startSafety(j.newest + 1)
}

// startSafety forgets all evidence of safety and takes only cells of seconds
// from from on.
func (j *Judge) startSafety(from int64) {
	for _, c := range j.queue {
		if c.queued = false; c.complete {
			delete(j.cells, c.key)
		}
	}
	j.queue, j.merged, j.hit = nil, nil, memory{}
	j.from = from
	if j.config.Adaptive {
		j.reach = newReach()
	}
	for s := range j.safe {
		j.safe[s] = newSafety(j.config)
	}
	j.reports.afresh()
}

// Restarts is how often instances ended by themselves in each arm since the last
// report, and how much they ran.
type Restarts struct {
	Stable ArmRestarts `json:"stable"`
	Canary ArmRestarts `json:"canary"`
}

// ArmRestarts is one arm's part. An OOM kill that led to a restart may be in both
// counts: the larger one is taken. An instance that fails again and again is one
// fault, so the caller does well to leave out what a crash loop repeats.
type ArmRestarts struct {
	Restarts       int     `json:"restarts"`
	OOMKills       int     `json:"oomKills,omitempty"`
	ReplicaSeconds float64 `json:"replicaSeconds"`
}

func (a ArmRestarts) events() int { return max(a.Restarts, a.OOMKills, 0) }

// Restarts takes what happened since the last call. Restarts speak for harm only.
func (j *Judge) Restarts(r Restarts) {
	exposure := r.Stable.ReplicaSeconds + r.Canary.ReplicaSeconds
	if !(exposure > 0) || math.IsInf(exposure, 0) {
		return // nothing ran, so that nothing can be compared
	}
	j.totals.addRestarts(r)
	j.harm.counts([2]int{r.Stable.events(), r.Canary.events()}, r.Canary.ReplicaSeconds/exposure)
	j.conclude()
}

// beginOnset lets evidence of harm count from now on too. The open test block is
// left to the older onsets.
func (j *Judge) beginOnset() {
	j.harm.begin(j.groups, j.begunCells)
	j.reports.begin()
	j.onset = j.newest
}

// judged reports whether a signal counts in this rollout.
func (j *Judge) judged(s fairlead.Signal) bool { return j.config.unjudged()>>s&1 == 0 }

// unjudged returns the signals of requests whose thresholds are not known, a bit each.
func (c Config) unjudged() uint8 {
	var mask uint8
	if !c.Latency {
		mask |= latencies
	}
	if !c.First {
		mask |= firstBytes
	}
	return mask
}

// blind returns the signals that do not count in a cell, a bit each. What comes
// late of an earlier step has its old warm-up behind it and the new one ahead.
func (j *Judge) blind(epoch uint32, second int64) uint8 {
	if epoch == j.epoch && j.warmUntil == 0 {
		j.warmUntil = second + j.warmup
	}
	if j.warmup == 0 || j.warmUntil > 0 && second >= j.warmUntil {
		return j.config.unjudged()
	}
	return timings
}

// gap starts evidence of safety afresh because blocks or outcomes were lost.
func (j *Judge) gap(format string, args ...any) {
	j.totals.gaps++
	j.Interrupt(fmt.Sprintf(format, args...))
}
