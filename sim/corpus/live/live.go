// Package live puts Fairlead before the release fault corpus: requests are counted
// into blocks by the gateway's own code, and blocks go to the rollout machine and its
// judge, which are those of a live rollout. Nothing of them is written again here.
//
// What differs from a live rollout: inputs are given once a second instead of five
// times, gates hold from the beginning, and a weight that was decided at the end of a
// second is in force from there on.
package live

import (
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/sim/corpus"
)

// Epoch is the wall clock at the beginning of a rollout; any will do.
func Epoch() time.Time { return time.Unix(1_800_000_000, 0).UTC() }

// boot names the one start of the gateway.
const boot = "corpus"

// Rule returns Fairlead with the strategy of an App file without one: steps of 10
// and 50 %. Version names the build whose decisions these are.
func Rule(version string) (corpus.Rule, error) {
	beginnings, err := Begin()
	if err != nil {
		return corpus.Rule{}, err
	}
	return corpus.Rule{
		Name: "fairlead", Source: "docs/design/judge.md", Version: version, Live: true,
		New: func(s corpus.Start) corpus.Judge { return newJudge(s, beginnings) },
	}, nil
}

// judge is a course whose blocks are counted from requests. It is not safe for
// concurrent use.
type judge struct {
	start   corpus.Start // without its history
	course  *Course
	counter *gateway.Counter
	open    map[uint32]*gateway.Counted
	spare   []*gateway.Counted // of requests that ended
}

func newJudge(s corpus.Start, b Beginnings) *judge {
	r := b.api
	if s.Reports {
		r = b.chat
	}
	frozen := rollout.Freeze(history(s, r.Site), r.Strategy.Signals)
	s.History = nil
	return &judge{
		start: s, course: b.NewCourse(s.Reports, frozen), counter: gateway.NewCounter(r.Site), open: map[uint32]*gateway.Counted{},
	}
}

// Second implements corpus.Judge.
func (j *judge) Second(s *corpus.Second) corpus.Decision {
	r := j.course.Rollout()
	for i := range s.Arrived {
		j.arrive(&s.Arrived[i], r)
	}
	for i := range s.Begun {
		b := &s.Begun[i]
		if x := j.open[b.Number]; x != nil {
			x.FirstByte(Epoch().Add(b.At+b.First), j.start.Streams)
		}
	}
	for i := range s.Ended {
		j.end(&s.Ended[i])
	}
	return j.course.Feed(s.Now, j.counter.Close(Epoch().Add(s.Now), boot), s.Instances)
}

// arrive counts a request that arrives while the weight of r is in force. Before the
// first traffic there is nothing to compare.
func (j *judge) arrive(q *corpus.Request, r rollout.Rollout) {
	if r.FirstTraffic.IsZero() {
		return
	}
	x := &gateway.Counted{}
	if n := len(j.spare); n > 0 {
		x, j.spare = j.spare[n-1], j.spare[:n-1]
	}
	j.counter.Arrive(x, Epoch().Add(q.At), gateway.Arrival{
		Rollout: r.ID, Epoch: r.Epoch, Canary: q.Canary, Unit: q.Unit,
		Latency: r.Thresholds, First: r.First, Deadline: j.start.Deadline,
	})
	j.open[q.Number] = x
}

func (j *judge) end(q *corpus.Request) {
	x := j.open[q.Number]
	if x == nil {
		return
	}
	tell(x, q, j.start)
	delete(j.open, q.Number)
	j.spare = append(j.spare, x)
}

// tell notes how a request ended.
func tell(x *gateway.Counted, q *corpus.Request, s corpus.Start) {
	switch q.Outcome {
	case corpus.ServerError:
		x.Fail(fairlead.ServerError)
	case corpus.Timeout:
		x.Fail(fairlead.Timeout)
	case corpus.Reset:
		x.Fail(fairlead.Reset)
	default:
		if s.Reports {
			x.Report("task-success", bit(!q.Wrong))
			x.Report("refusal", bit(q.Refused))
			x.Report("tool-failure", bit(q.BadTool))
			x.Report("cost", float64(q.Cost))
		}
	}
	x.End(Epoch().Add(q.At + q.Latency))
}

func bit(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// frozenOf is more than what a rollout freezes.
const frozenOf = 6 * time.Minute

// history counts the requests before the rollout into blocks, as the gateway did.
func history(s corpus.Start, site fairlead.Site) []fairlead.Block {
	counter := gateway.NewCounter(site)
	x := &gateway.Counted{} // of one request after the other: what is frozen does not depend on their overlap
	for i := range s.History {
		q := &s.History[i]
		if q.At < -frozenOf {
			continue
		}
		counter.Arrive(x, Epoch().Add(q.At), gateway.Arrival{Unit: q.Unit, Deadline: s.Deadline})
		if q.Outcome == corpus.OK || q.First < q.Latency {
			x.FirstByte(Epoch().Add(q.At+q.First), s.Streams)
		}
		tell(x, q, s)
	}
	return counter.Close(Epoch(), boot)
}
