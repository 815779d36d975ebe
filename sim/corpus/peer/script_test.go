package peer

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/sim/corpus"
)

// flow is what happens in each second of a span.
type flow struct {
	until           time.Duration
	requests        int  // of the new release; the old one gets nine times as many
	failed, slow    int  // of each hundred requests of the new release
	baseline        int  // failed of each hundred requests of the old release
	unready, silent bool // instances of the new release are not ready; it gets no requests although it has a weight
}

// play feeds a judge seconds made of flows, and returns its decisions, each with the
// second after which it holds.
func play(j corpus.Judge, flows ...flow) []string {
	var said []string
	last := corpus.Decision{}
	sent := [2]int{}
	for now := time.Second; now <= flows[len(flows)-1].until; now += time.Second {
		f := flows[slices.IndexFunc(flows, func(f flow) bool { return now <= f.until })]
		s := corpus.Second{Now: now}
		s.Instances[corpus.Canary] = corpus.Instances{Wanted: 1, Ready: 1}
		if f.unready {
			s.Instances[corpus.Canary].Ready = 0
		}
		if last.Weight > 0 && !f.silent {
			s.Ended = f.ended(now, &sent)
		}
		d := j.Second(&s)
		if d.Weight != last.Weight || d.State != last.State {
			said = append(said, tell(now, d))
		}
		if last = d; d.State == corpus.RolledBack || d.State == corpus.Finished {
			break
		}
	}
	return said
}

// ended makes a second's requests. Failures are spread: those of each hundred come first.
func (f flow) ended(now time.Duration, sent *[2]int) []corpus.Request {
	var out []corpus.Request
	for arm, n := range [2]int{9 * f.requests, f.requests} {
		for range n {
			place := sent[arm] % 100
			sent[arm]++
			r := corpus.Request{
				At: now - time.Second, Latency: 100 * time.Millisecond,
				Unit: uint64(sent[0]*2 + sent[1]*2e6 + arm), Canary: arm == corpus.Canary,
			}
			if arm == corpus.Stable && place < f.baseline || arm == corpus.Canary && place < f.failed {
				r.Outcome = corpus.ServerError
			} else if arm == corpus.Canary && place >= 100-f.slow {
				r.Latency = 2 * time.Second
			}
			out = append(out, r)
		}
	}
	return out
}

func tell(now time.Duration, d corpus.Decision) string {
	switch d.State {
	case corpus.RolledBack:
		return fmt.Sprintf("%v rolled back", now)
	case corpus.Finished:
		return fmt.Sprintf("%v promoted", now)
	}
	return fmt.Sprintf("%v %.0f%%", now, 100*d.Weight)
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("decisions were\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// known is a start with a history: 1000 requests of 100 ms, of which the last percent
// took 200 ms.
func known() corpus.Start {
	s := corpus.Start{Deadline: 30 * time.Second, Replicas: 4}
	for i := range 1000 {
		r := corpus.Request{Latency: 100 * time.Millisecond}
		if i >= 985 {
			r.Latency = 200 * time.Millisecond
		}
		s.History = append(s.History, r)
	}
	return s
}
