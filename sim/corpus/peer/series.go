package peer

import (
	"time"

	"github.com/fairlead/fairlead/sim/corpus"
)

// metric is a time series that Kayenta compares.
type metric struct {
	group    string
	critical bool
	value    func(*minute) (float64, bool) // of a minute, if it has one
}

// groupNames are the groups of metrics, in the order in which they are added up.
var groupNames = [...]string{"errors", "latency", "saturation", "quality", "cost"}

// series makes Kayenta's points: one a minute and release. A minute closes 15 s
// early, since the last scrape is that old.
type series struct {
	metrics []metric
	points  [][2][]float64 // by metric and arm
	minute  [2]minute
	closes  time.Duration
}

// minute is what happened to one release in a minute.
type minute struct {
	total, failed              float64
	wrong, refused, tool, cost float64
	restarts, instances        float64
	latency, first             histogram
}

func newSeries(reports bool) series {
	s := series{closes: time.Minute - scrapeEvery, metrics: []metric{
		{"errors", true, func(m *minute) (float64, bool) { return m.failed / max(1, m.total), true }},
		{"latency", false, func(m *minute) (float64, bool) { return m.latency.quantile(0.5), m.total > 0 }},
		{"latency", false, func(m *minute) (float64, bool) { return m.latency.quantile(0.9), m.total > 0 }},
		{"latency", false, func(m *minute) (float64, bool) { return m.latency.quantile(0.99), m.total > 0 }},
		{"saturation", false, func(m *minute) (float64, bool) { return m.restarts / max(1, m.instances), true }},
	}}
	if reports {
		s.metrics = append(s.metrics,
			metric{"quality", true, func(m *minute) (float64, bool) { return m.wrong / max(1, m.total), true }},
			metric{"quality", true, func(m *minute) (float64, bool) { return m.refused / max(1, m.total), true }},
			metric{"quality", true, func(m *minute) (float64, bool) { return m.tool / max(1, m.total), true }},
			metric{"latency", false, func(m *minute) (float64, bool) { return m.first.quantile(0.5), m.total > 0 }},
			metric{"cost", true, func(m *minute) (float64, bool) { return m.cost / m.total, m.total > 0 }},
		)
	}
	s.points = make([][2][]float64, len(s.metrics))
	return s
}

// observe takes a second in, and closes the minute when it is over.
func (s *series) observe(second *corpus.Second) {
	for i := range second.Ended {
		r := &second.Ended[i]
		s.minute[arm(r)].add(r)
	}
	for arm := range second.Instances {
		s.minute[arm].restarts += float64(second.Instances[arm].Restarts)
		s.minute[arm].instances = max(s.minute[arm].instances, float64(second.Instances[arm].Wanted))
	}
	if second.Now >= s.closes {
		s.closes += time.Minute
		for arm := range s.minute {
			s.close(arm)
		}
	}
}

func (m *minute) add(r *corpus.Request) {
	m.total++
	m.failed += indicator(r.Failed())
	m.wrong += indicator(r.Wrong)
	m.refused += indicator(r.Refused)
	m.tool += indicator(r.BadTool)
	m.cost += float64(r.Cost)
	m.latency.add(r.Latency)
	m.first.add(r.First)
}

func indicator(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// close adds the minute's points. Latency without requests is no point, the others
// are 0 then (nanStrategy remove and replace).
func (s *series) close(arm int) {
	m := &s.minute[arm]
	for i := range s.metrics {
		if value, ok := s.metrics[i].value(m); ok {
			s.points[i][arm] = append(s.points[i][arm], value)
		}
	}
	*m = minute{}
}
