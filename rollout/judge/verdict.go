package judge

import (
	"fmt"
	"math"

	"github.com/fairlead/fairlead"
)

// logMost caps what is reported: e-values are at most 1e300.
var logMost = 300 * math.Ln10

// capped returns exp(logE), between 0 and 1e300.
func capped(logE float64) float64 {
	if math.IsNaN(logE) {
		return 0
	}
	return min(math.Exp(min(logE, logMost)), 1e300)
}

// RestartsName is the name of the evidence that restarts and OOM kills give.
const RestartsName = "restarts"

// mirrored reports whether the new release has no traffic of its own but copies, so
// that pairs are the only evidence of safety.
func (j *Judge) mirrored() bool { return j.begun && j.weight == 0 && j.config.Mirror }

// conclude keeps a finding of harm: the error holds for the first time that the
// threshold is reached, and later evidence does not take it back.
func (j *Judge) conclude() {
	if logE := j.budget.harm(); logE >= -math.Log(j.config.Alpha) && capped(logE) > j.worst.E {
		j.worst = fairlead.Verdict{
			Finding: fairlead.Harmful, Signal: j.budget.leading(), E: capped(logE), Needed: 1 / j.config.Alpha,
		}
	}
}

// blocked returns why safe cannot be concluded whatever the evidence, or "".
func (j *Judge) blocked() string {
	switch {
	case !j.begun:
		return "no step has begun"
	case j.weight == 0 && !j.config.Mirror || j.weight >= fairlead.Whole:
		return fmt.Sprintf("at a weight of %s one release has all the traffic: there is nothing to compare", j.weight)
	case j.assignment.mismatch:
		return j.Mismatch()
	case j.incident.shared:
		return "both releases fail far more than before: a shared incident, or the new release breaks what both use"
	}
	return ""
}

// Verdict returns what the evidence says now. Harmful beats safe, and stays.
// Safe needs each protected signal's evidence at its threshold now, and nothing
// that blocks it. Otherwise it is inconclusive, with the evidence that is nearer
// to its threshold.
func (j *Judge) Verdict() fairlead.Verdict {
	if j.worst.Finding == fairlead.Harmful {
		return j.worst
	}
	weakest, safe := j.budget.weakest(j.mirrored())
	harm, blocked := j.budget.harm(), j.blocked()
	needSafe, needHarm := -math.Log(j.config.Beta), -math.Log(j.config.Alpha)
	v := fairlead.Verdict{
		Finding: fairlead.Inconclusive, Signal: weakest, E: capped(safe), Needed: 1 / j.config.Beta, Blocked: blocked,
	}
	switch {
	case safe >= needSafe && blocked == "":
		v.Finding = fairlead.Safe
		return v
	case harm/needHarm > safe/needSafe:
		v.Signal, v.E, v.Needed = j.budget.leading(), capped(harm), 1/j.config.Alpha
	}
	if blocked == "" && j.afresh != "" {
		v.Blocked = "evidence of safety started afresh: " + j.afresh
	}
	return v
}
