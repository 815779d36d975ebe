package corpus

import "time"

// Result is how one rollout ended under one judge.
type Result struct {
	State    State         `json:"state"`              // at the horizon
	Promoted time.Duration `json:"promoted,omitempty"` // when it first was; 0 for never
	Decided  time.Duration `json:"decided,omitempty"`  // when it was rolled back, or promoted for good; 0 for never
	Exposed  time.Duration `json:"exposed"`            // first request on the new release; -1ns for none
	Canary   int           `json:"canary"`             // requests that the new release got
	Excess   float64       `json:"excess"`             // harm to its users, less what they would have had on the old release
	Why      string        `json:"why,omitempty"`      // of the last change of state, in the judge's words
}

// Play runs a world under judges and returns how each rollout ended. Every judge
// meets the same users; each has its own weights.
func Play(w *World, rules []Rule) []Result {
	return PlayUntil(w, rules, Horizon)
}

// PlayUntil is Play with another horizon.
func PlayUntil(w *World, rules []Rule, horizon time.Duration) []Result {
	start := w.start()
	tables := make([]*table, len(rules))
	for i, rule := range rules {
		tables[i] = &table{view: newView(w, rule.Live), judge: rule.New(start)}
	}
	for w.now < horizon {
		pairs, going := w.tick(), false
		for _, t := range tables {
			going = t.second(pairs) || going
		}
		if !going {
			break
		}
	}
	results := make([]Result, len(rules))
	for i, t := range tables {
		results[i] = t.result
		results[i].Exposed, results[i].Canary, results[i].Excess = t.view.exposed, t.view.canary, t.view.excess
	}
	return results
}

// table is where one judge sits.
type table struct {
	view   *view
	judge  Judge
	result Result
	over   bool // nothing can change any more
}

// second plays a second, and reports whether there is more to come.
func (t *table) second(pairs []pair) bool {
	if t.over {
		return false
	}
	if t.result.State == Finished { // only harm is counted
		t.count(pairs)
		return true
	}
	s := t.view.tick(pairs)
	d := t.judge.Second(s)
	t.view.want(d.Weight)
	if d.State == t.result.State {
		return true
	}
	t.result.State, t.result.Why = d.State, d.Why
	if d.State != RolledBack && t.result.Promoted == 0 {
		t.result.Promoted = s.Now
	}
	if d.State == RolledBack || d.State == Finished {
		t.result.Decided = s.Now
		t.over = d.State == RolledBack || t.view.world.cell.Harm == ""
	}
	return true
}

// count counts what happens to requests that no judge sees any more.
func (t *table) count(pairs []pair) {
	for i := range pairs {
		p := &pairs[i]
		r := t.view.meet(p)
		if r.Canary {
			t.view.canary++
			h := t.view.world.cell.Harm
			t.view.excess += h.of(&r) - h.of(&p.on[Stable])
		}
	}
}
