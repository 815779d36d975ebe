package judge

import (
	"math"

	"github.com/fairlead/fairlead"
)

// The parts of the error budget alpha that kinds of evidence have.
const (
	restartsShare = 0.05 // each restart speaks loudly: one more makes up for a small part
	failuresLeast = 0.5  // failures, whatever else is judged
)

// shares returns the share of the error budget that failures have, and that of each
// of others kinds of evidence: latency with the first byte, mirrored pairs, and each
// reported signal. Restarts have restartsShare; all sum to 1. The average of
// e-processes with these weights is an e-process, whatever their dependence, so that
// one budget holds over all.
func shares(others int) (failures, other float64) {
	if others == 0 {
		return 1 - restartsShare, 0
	}
	return failuresLeast, (1 - failuresLeast - restartsShare) / float64(others)
}

// budget is the error budget of a rollout: its signals, and how much of alpha each has.
type budget []weighed

// weighed is a signal with its share of the budget.
type weighed struct {
	signal
	share float64
	log   float64 // of share
}

// newBudget divides the budget among the signals that a rollout judges. Failures come first.
func newBudget(j *Judge) budget {
	failures := []signal{requestSignal{j, fairlead.Failures}}
	var timing []signal
	for s := fairlead.SlowP50; s < fairlead.Signals; s++ {
		if j.judged(s) {
			timing = append(timing, requestSignal{j, s})
		}
	}
	others := [][]signal{timing}
	var mirrored []signal
	for _, p := range j.reports.pairs {
		if p.kind == fairlead.KindPreference {
			others = append(others, []signal{p})
		} else {
			mirrored = append(mirrored, p)
		}
	}
	for _, r := range j.reports.declared {
		var readings []signal
		for _, v := range r.readings {
			readings = append(readings, v)
		}
		others = append(others, readings)
	}
	return divide(failures, []signal{restartSignal{j}}, append(others, mirrored))
}

// divide gives failures, restarts and each other group its share of the budget; the
// signals of a group have equal parts of it. Empty groups have none.
func divide(failures, restarts []signal, others [][]signal) budget {
	count := 0
	for _, group := range others {
		if len(group) > 0 {
			count++
		}
	}
	first, other := shares(count)
	var all budget
	add := func(group []signal, share float64) {
		for _, s := range group {
			part := share / float64(len(group))
			all = append(all, weighed{s, part, math.Log(part)})
		}
	}
	add(failures, first)
	add(restarts, restartsShare)
	for _, group := range others {
		add(group, other)
	}
	return all
}

// harm returns the log of the evidence of harm: the average over the signals by
// their shares. The average of e-processes is one under any dependence between them.
func (b budget) harm() float64 {
	sum := math.Inf(-1)
	for _, s := range b {
		sum = logAddExp(sum, s.harmful()+s.log)
	}
	return sum
}

// leading returns the signal that contributes most to the evidence of harm.
func (b budget) leading() string {
	name, most := "", math.Inf(-1)
	for _, s := range b {
		if v := s.harmful() + s.log; v > most {
			name, most = s.title(), v
		}
	}
	return name
}

// weakest returns the protected signal with the least evidence of safety, and the log
// of that evidence: each signal must be safe. mirrored is as for [signal].
func (b budget) weakest(mirrored bool) (name string, logE float64) {
	name, logE = fairlead.Failures.String(), math.Inf(1)
	for _, s := range b {
		if s.demanded(mirrored) && s.proven() < logE {
			name, logE = s.title(), s.proven()
		}
	}
	return name, logE
}
