package judge

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead"
)

func TestGapsStartSafetyAfreshAndAreReported(t *testing.T) {
	tests := map[string]struct {
		lose func(w *world, b *fairlead.Block)
		want string
	}{
		"missing number":                {func(w *world, b *fairlead.Block) { b.Seq++; w.seq++ }, "are missing"},
		"new boot without a last block": {func(w *world, b *fairlead.Block) { b.Gateway, b.Seq = "g2", 1 }, "without a final block"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			j, w := proven(t)
			harm := failures(j).Harm
			b := w.block()
			test.lose(w, &b)
			b.Cells = b.Cells[:1]
			b.Cells[0].Canary.Hits, b.Cells[0].Stable.Hits = [fairlead.Signals]fairlead.Units{}, [fairlead.Signals]fairlead.Units{}
			j.Observe(b)
			r := j.Report()
			if r.Safety.E != 1 || r.Gaps != 1 || r.Verdict.Finding != fairlead.Inconclusive || !strings.Contains(r.Afresh, test.want) {
				t.Errorf("after a gap: %+v", r)
			}
			if failures(j).Harm != harm {
				t.Error("evidence of harm did not stay")
			}
			j.Observe(w.block()) // the world goes on as g1
		})
	}
}

func TestANewGatewayAfterAFinalBlockIsNoGap(t *testing.T) {
	j, w := proven(t)
	b := w.block()
	b.Final = true
	j.Observe(b)
	b = w.block()
	b.Gateway, b.Seq = "g2", 1
	j.Observe(b)
	if r := j.Report(); r.Gaps != 0 || r.Safety.E <= 1 {
		t.Errorf("after an orderly restart: %+v", r)
	}
	b = w.block()
	b.Gateway, b.Seq = "g2", 2
	b.Cells[0].Complete = false
	b.Final = true
	j.Observe(b)
	if r := j.Report(); r.Gaps != 1 || r.Safety.E != 1 {
		t.Errorf("a gateway that stops with requests unfinished: %+v", r)
	}
}

func TestSafetyGoesOnWhenGatewaysFollowEachOtherFasterThanTheyEnd(t *testing.T) {
	j, w := proven(t)
	seq := map[string]uint64{}
	from := func(gateway string, change func(*fairlead.Block)) {
		b := w.block()
		seq[gateway]++
		b.Gateway, b.Seq = gateway, seq[gateway]
		if change != nil {
			change(&b)
		}
		j.Observe(b)
	}
	unfinished := func(b *fairlead.Block) { b.Cells[0].Complete = false }
	last := func(b *fairlead.Block) { b.Cells, b.Final = nil, true }
	from("g2", nil)
	from("g3", nil)
	from("g3", unfinished)
	from("g2", last)
	from("g4", nil) // while g3 has not ended
	from("g3", last)
	for range 200 {
		from("g4", nil)
	}
	if r := j.Report(); r.Waiting > 1 || r.Safety.E <= 1 {
		t.Errorf("%d seconds wait for outcomes, evidence of safety %g", r.Waiting, r.Safety.E)
	}
}

func TestAGatewayWhoseClockIsBehindItsPredecessorsEarnsSafetyAtOnce(t *testing.T) {
	j := New(defaults)
	j.Step(1, 5000, 0)
	s := &script{boot: "g1"}
	j.Observe(s.block(complete(at(10_000, units(0, 50), units(100, 50), nil, nil))))
	later := &script{boot: "g2"}
	for second := int64(100); second < 160; second++ {
		n := int(second) * 100
		j.Observe(later.block(complete(at(second, units(n, 50), units(n+50, 50), nil, nil))))
	}
	if v := j.Verdict(); v.Finding != fairlead.Safe {
		t.Errorf("%+v", v)
	}
}
