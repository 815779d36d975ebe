package judge

import "github.com/fairlead/fairlead"

// totals counts for reports.
type totals struct {
	gaps     int
	requests [2]uint64
	failed   [2][fairlead.Classes]uint64
	atRisk   [fairlead.Signals][2]int
	hits     [fairlead.Signals][2]int
	restarts Restarts
}

func (t *totals) addCell(c *fairlead.Cell) {
	for a, arm := range [2]*fairlead.Arm{&c.Stable, &c.Canary} {
		t.requests[a] += uint64(arm.Requests)
		for class, n := range arm.Failed {
			t.failed[a][class] += uint64(n)
		}
	}
}

func (t *totals) addExposure(of tables) {
	for s := range of {
		for arm, n := range of[s].n {
			t.atRisk[s][arm] += n
		}
	}
}

func (t *totals) addHits(of tables) {
	for s := range of {
		for arm, y := range of[s].y {
			t.hits[s][arm] += y
		}
	}
}

func (t *totals) addRestarts(r Restarts) {
	add := func(to *ArmRestarts, a ArmRestarts) {
		to.Restarts += a.Restarts
		to.OOMKills += a.OOMKills
		to.ReplicaSeconds += a.ReplicaSeconds
	}
	add(&t.restarts.Stable, r.Stable)
	add(&t.restarts.Canary, r.Canary)
}

// requestsOf returns a cell's requests and failures.
func requestsOf(c *fairlead.Cell) requests {
	var r requests
	for a, arm := range [2]*fairlead.Arm{&c.Stable, &c.Canary} {
		r.all[a] = float64(arm.Requests)
		for _, n := range arm.Failed {
			r.failed[a] += float64(n)
		}
	}
	return r
}

func (t *totals) arm(a int) ArmTotals {
	r := ArmTotals{Requests: t.requests[a], Failed: map[string]uint64{}}
	for class, n := range t.failed[a] {
		r.Failed[fairlead.Class(class).String()] = n
	}
	return r
}

func (t *totals) signal(s, arm int) ArmSignal {
	r := ArmSignal{AtRisk: t.atRisk[s][arm], Hit: t.hits[s][arm]}
	if r.AtRisk > 0 {
		r.Rate = float64(r.Hit) / float64(r.AtRisk)
	}
	return r
}
