package score

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/sim/corpus"
)

// Values of R's binom.test(k, n)$conf.int, as the definition by tails gives them.
func TestClopperPearsonIsExact(t *testing.T) {
	for _, c := range []struct {
		k, n      int
		low, high float64
	}{
		{0, 10, 0, 0.30850}, {10, 10, 0.69150, 1}, {5, 10, 0.18709, 0.81291}, {1, 20000, 1.2659e-6, 2.7855e-4},
	} {
		low, high := ClopperPearson(c.k, c.n, 0.05)
		if math.Abs(low-c.low) > 1e-4*max(c.low, 1e-3) || math.Abs(high-c.high) > 1e-4*max(c.high, 1e-2) {
			t.Errorf("%d of %d: %.6g to %.6g, want %.6g to %.6g", c.k, c.n, low, high, c.low, c.high)
		}
		if tail := upperTail(c.k, c.n, low); c.k > 0 && math.Abs(tail-0.025) > 1e-6 {
			t.Errorf("%d of %d: at the lower bound, so many or more have chance %.6g, want 0.025", c.k, c.n, tail)
		}
	}
}

// upperTail is the chance of k or more of n at share p, summed up.
func upperTail(k, n int, p float64) float64 {
	below := 0.0
	for i := range k {
		a, _ := math.Lgamma(float64(n + 1))
		b, _ := math.Lgamma(float64(i + 1))
		c, _ := math.Lgamma(float64(n - i + 1))
		below += math.Exp(a - b - c + float64(i)*math.Log(p) + float64(n-i)*math.Log1p(-p))
	}
	return 1 - below
}

// after is a judge that rolls back or promotes at a time.
type after struct {
	at    time.Duration
	state corpus.State
}

func (j after) Second(s *corpus.Second) corpus.Decision {
	if s.Now < j.at {
		return corpus.Decision{Weight: 0.1}
	}
	d := corpus.Decision{State: j.state, Why: "it was time"}
	if j.state != corpus.RolledBack {
		d.Weight = 1
	}
	return d
}

func rule(name string, at time.Duration, state corpus.State, made *atomic.Int64) corpus.Rule {
	return corpus.Rule{Name: name, Version: "1", New: func(corpus.Start) corpus.Judge {
		made.Add(1)
		return after{at, state}
	}}
}

func some(t *testing.T, names ...string) []corpus.Cell {
	t.Helper()
	var cells []corpus.Cell
	for _, c := range corpus.Cells() {
		for _, name := range names {
			if c.Name == name {
				cells = append(cells, c)
			}
		}
	}
	if len(cells) != len(names) {
		t.Fatalf("%d of the cells %v", len(cells), names)
	}
	return cells
}

func TestARunGoesOnWhereItWasAndMakesAnewWhatChanged(t *testing.T) {
	var made atomic.Int64
	r := Run{
		Dir: t.TempDir(), Cells: some(t, "ready-but-broken/1rps/random/flat", "same-api/1rps/random/flat"), Split: corpus.Score,
		Rollouts: 3, Progress: io.Discard,
		Rules: []corpus.Rule{rule("quick", 20*time.Second, corpus.RolledBack, &made), rule("late", 200*time.Second, corpus.RolledBack, &made)},
	}
	do := func(want int64) []Summary {
		t.Helper()
		made.Store(0)
		all, err := r.Do(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if made.Load() != want {
			t.Errorf("%d rollouts were played, want %d", made.Load(), want)
		}
		return all
	}
	first := do(12)
	again := do(0)
	for i := range first {
		if first[i].Excess != again[i].Excess || first[i].Cell != again[i].Cell || first[i].Rule != again[i].Rule {
			t.Errorf("kept %+v, made %+v", again[i], first[i])
		}
	}
	r.Rules[1].Version = "2"
	do(6) // of one rule
	if err := os.WriteFile(r.path(r.Cells[0], r.Rules[0]), []byte(`{"cell":`), 0o644); err != nil {
		t.Fatal(err)
	}
	do(3) // of one cell
	ctx, stop := context.WithCancel(context.Background())
	stop()
	r.Rollouts = 4
	if _, err := r.Do(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that it was stopped", err)
	}
}

func TestResultsDoNotDependOnHowManyRunAtOnceOrBesideWhom(t *testing.T) {
	var made atomic.Int64
	cells := some(t, "errors-50%/10rps/random/flat")
	quick, late := rule("quick", 20*time.Second, corpus.RolledBack, &made), rule("late", 300*time.Second, corpus.RolledBack, &made)
	play := func(workers int, rules ...corpus.Rule) Summary {
		all, err := Run{Dir: t.TempDir(), Cells: cells, Rules: rules, Split: corpus.Score, Rollouts: 4, Workers: workers, Progress: io.Discard}.Do(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return all[len(all)-1]
	}
	alone, beside := play(1, late), play(4, quick, late)
	if alone.Excess != beside.Excess || alone.Canary != beside.Canary || *alone.Delay.P50 != *beside.Delay.P50 {
		t.Errorf("alone %+v, beside another %+v", alone, beside)
	}
}

func board(t *testing.T) *Board {
	t.Helper()
	var made atomic.Int64
	cells := some(t, "ready-but-broken/10rps/random/flat", "errors-5%/10rps/random/flat", "same-api/10rps/random/flat")
	rules := []corpus.Rule{
		rule(Own, 20*time.Second, corpus.RolledBack, &made), rule("prompt/tuned", 10*time.Second, corpus.RolledBack, &made),
		rule("idle/tuned", 100*time.Second, corpus.Finished, &made),
	}
	summaries, err := Run{Dir: t.TempDir(), Cells: cells, Rules: rules, Split: corpus.Score, Rollouts: 8, Progress: io.Discard}.Do(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	b := NewBoard("test", 8, cells, summaries)
	b.Validity = []Validity{NewValidity("same", 0, 100, 1.0/300), NewValidity("margin", 50, 100, 0.05)}
	return b
}

func TestTheBoardCountsAsItSays(t *testing.T) {
	b := board(t)
	own, _ := b.find(Own)
	if own.Caught != 1 || own.Wrong != 0 || own.False != 8 || own.Good != 8 || own.Promoted != 0 || own.WorstRate != 1 {
		t.Errorf("%+v of a judge that rolls everything back", own)
	}
	logs, weights := 0.0, 0.0
	for _, c := range b.cells {
		if !c.Good {
			logs += c.Weight * math.Log(1+b.summaries[[2]string{Own, c.Name}].Excess)
			weights += c.Weight
		}
	}
	if want := math.Exp(logs / weights); math.Abs(own.Excess-want) > 1e-9 || want < 2 {
		t.Errorf("harm %g, want the weighted geometric mean %g", own.Excess, want)
	}
	idle, _ := b.find("idle/tuned")
	if idle.Excess < 100*own.Excess || idle.Promoted != 1 || idle.Wrong != 1 {
		t.Errorf("%+v of a judge that promotes everything", idle)
	}
	if best, _ := b.Best(); best.Rule != "prompt/tuned" {
		t.Errorf("the best-tuned peer is %s, want the one with the least harm, since Fairlead rolls everything back too", best.Rule)
	}
	if len(b.Lost) != 1 || b.Lost[0].Peer != "prompt/tuned" {
		t.Errorf("lost %+v, want a loss to the peer whose false rollbacks are no more than Fairlead's", b.Lost)
	}
	if b.Validity[0].Holds() != true || b.Validity[1].Holds() != false {
		t.Errorf("%+v", b.Validity)
	}
}

func TestTheTableIsAligned(t *testing.T) {
	var out bytes.Buffer
	board(t).Print(&out)
	lines := strings.Split(out.String(), "\n")
	for _, l := range lines[2:7] {
		if len([]rune(l)) != len([]rune(lines[2])) {
			t.Errorf("lines of different lengths:\n%s", out.String())
			break
		}
	}
	for _, want := range []string{"fairlead", "wholly broken, 10 rps", "≤ 6 s", "missed", "8 rollouts of 4 hours"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table does not say %q:\n%s", want, out.String())
		}
	}
}

func TestPicturePageAndJSONAreWhole(t *testing.T) {
	b := board(t)
	var picture, page, data bytes.Buffer
	if err := errors.Join(b.Picture(&picture), b.Page(&page, "p.svg"), b.JSON(&data)); err != nil {
		t.Fatal(err)
	}
	decoder := xml.NewDecoder(&picture)
	for {
		if _, err := decoder.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("the picture is no XML: %v", err)
		}
	}
	if strings.Contains(page.String(), "<no value>") || !strings.Contains(page.String(), "| **fairlead** |") || !strings.Contains(page.String(), "**no**") {
		t.Errorf("the page:\n%s", page.String())
	}
	if !strings.Contains(data.String(), `"rule": "fairlead"`) {
		t.Errorf("the JSON:\n%s", data.String())
	}
}

func TestQuantilesCountRolloutsWithoutTheEventAsNever(t *testing.T) {
	q := times([]float64{30, 10, 20}, 5)
	if q.N != 3 || q.P50 == nil || *q.P50 != 30 || q.P95 != nil {
		t.Errorf("%+v, want a median of 30 and no 95th percentile", q)
	}
}

func TestADelayBeginsWithTheFaultOrTheFirstRequestWhicheverIsLater(t *testing.T) {
	c := corpus.Cell{Name: "late", Fault: corpus.Fault{Errors: 0.5, Onset: time.Minute}}
	for exposed, want := range map[time.Duration]float64{10 * time.Second: 40, 70 * time.Second: 30} {
		s := Summarize(c, corpus.Rule{Name: "r"}, "w", []corpus.Result{{State: corpus.RolledBack, Exposed: exposed, Decided: 100 * time.Second}})
		if s.Delay.P50 == nil || *s.Delay.P50 != want {
			t.Errorf("first request after %s, a rollback after 100 s: delay %+v, want %g", exposed, s.Delay, want)
		}
	}
}

func TestACheckOfAPromiseIsKeptForItsVersionAndNumberOnly(t *testing.T) {
	dir, made := t.TempDir(), 0
	check := func(version string, rollouts, want int) {
		t.Helper()
		_, _, err := Kept{Dir: dir, Version: version}.Validity("same, 10/s", rollouts, 0.05, func() (int, error) {
			made++
			return 0, nil
		})
		if err != nil || made != want {
			t.Errorf("version %s, %d rollouts: %d checks were made, want %d; %v", version, rollouts, made, want, err)
		}
	}
	check("1", 10, 1)
	check("1", 10, 1)
	check("2", 10, 2)
	check("2", 20, 3)
}

func TestALossIsACellWhereAPeerWithFewFalseAlarmsDoesClearlyBetter(t *testing.T) {
	cells := some(t, "errors-5%/10rps/random/flat", "same-api/10rps/random/flat")
	bad, good := cells[0], cells[1]
	if bad.Good {
		bad, good = good, bad
	}
	of := func(rule string, excess float64, false int) []Summary {
		return []Summary{
			{Cell: bad.Name, Rule: rule, Rollouts: 100, RolledBack: 100, Excess: excess, ExcessSD: 5},
			{Cell: good.Name, Rule: rule, Rollouts: 100, RolledBack: false, Promoted: 100 - false},
		}
	}
	for _, c := range []struct {
		own, peer float64
		false     int
		want      int
	}{{20, 10, 0, 1}, {20, 19.5, 0, 0}, {20, 10, 2, 0}, {10, 20, 0, 0}} {
		b := NewBoard("test", 100, cells, append(of(Own, c.own, 0), of("peer/tuned", c.peer, c.false)...))
		if len(b.Lost) != c.want {
			t.Errorf("own harm %g, the peer's %g with %d false alarms: lost %+v, want %d", c.own, c.peer, c.false, b.Lost, c.want)
		}
	}
}
