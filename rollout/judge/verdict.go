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

const restartsName = "restarts"

// part is one signal's part in the evidence of harm.
type part struct {
	name  string
	share float64
	logE  float64
}

// parts returns the signals of harm with their shares of the average: failures
// half, latency a quarter (the mean of its three), restarts a quarter. Without
// latency its share goes to failures. The average of e-processes is one under
// any dependence between them.
func (j *Judge) parts() []part {
	failures := part{fairlead.Failures.String(), 0.75, j.harm.log(int(fairlead.Failures))}
	restarts := part{restartsName, 0.25, j.harm.log(restartsIndex)}
	if !j.config.Latency {
		return []part{failures, restarts}
	}
	failures.share = 0.5
	parts := []part{failures}
	for s := fairlead.SlowP50; s < fairlead.Signals; s++ {
		parts = append(parts, part{s.String(), 0.25 / 3, j.harm.log(int(s))})
	}
	return append(parts, restarts)
}

// logHarm returns the log of the evidence of harm: the average over the signals.
func (j *Judge) logHarm() float64 {
	sum := math.Inf(-1)
	for _, p := range j.parts() {
		sum = logAddExp(sum, p.logE+math.Log(p.share))
	}
	return sum
}

// leading returns the signal that contributes most to the evidence of harm.
func (j *Judge) leading() string {
	name, most := "", math.Inf(-1)
	for _, p := range j.parts() {
		if v := p.logE + math.Log(p.share); v > most {
			name, most = p.name, v
		}
	}
	return name
}

// weakest returns the protected signal with the least evidence of safety, and
// the log of that evidence: each signal must be safe.
func (j *Judge) weakest() (fairlead.Signal, float64) {
	weakest, least := fairlead.Failures, math.Inf(1)
	for s := range j.safe {
		if signal := fairlead.Signal(s); j.judged(signal) {
			if logE := j.safe[s].log(); logE < least {
				weakest, least = signal, logE
			}
		}
	}
	return weakest, least
}

func (j *Judge) logSafety() float64 {
	_, logE := j.weakest()
	return logE
}

// conclude keeps a finding of harm: the error holds for the first time that the
// threshold is reached, and later evidence does not take it back.
func (j *Judge) conclude() {
	if logE := j.logHarm(); logE >= -math.Log(j.config.Alpha) && capped(logE) > j.worst.E {
		j.worst = fairlead.Verdict{
			Finding: fairlead.Harmful, Signal: j.leading(), E: capped(logE), Needed: 1 / j.config.Alpha,
		}
	}
}

// blocked returns why safe cannot be concluded whatever the evidence, or "".
func (j *Judge) blocked() string {
	switch {
	case !j.begun:
		return "no step has begun"
	case j.weight == 0 || j.weight >= fairlead.Whole:
		return fmt.Sprintf("at a weight of %s one release has all the traffic: there is nothing to compare", j.weight)
	case j.share.mismatch:
		return fmt.Sprintf("the canary has %d of %d units at a weight of %s: the assignment is not as it should be",
			j.share.units[canary], j.share.units[canary]+j.share.units[stable], j.weight)
	case j.incident.shared:
		return "both releases fail far more than before: a shared incident"
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
	weakest, safe := j.weakest()
	harm, blocked := j.logHarm(), j.blocked()
	needSafe, needHarm := -math.Log(j.config.Beta), -math.Log(j.config.Alpha)
	v := fairlead.Verdict{
		Finding: fairlead.Inconclusive, Signal: weakest.String(), E: capped(safe), Needed: 1 / j.config.Beta, Blocked: blocked,
	}
	switch {
	case safe >= needSafe && blocked == "":
		v.Finding = fairlead.Safe
		return v
	case harm/needHarm > safe/needSafe:
		v.Signal, v.E, v.Needed = j.leading(), capped(harm), 1/j.config.Alpha
	}
	if blocked == "" && j.afresh != "" {
		v.Blocked = "evidence of safety started afresh: " + j.afresh
	}
	return v
}
