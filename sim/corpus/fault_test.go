package corpus

import (
	"math"
	"testing"
	"time"
)

func TestErrorsGrowFromTheirOnsetOnOverTheRamp(t *testing.T) {
	f := Fault{Errors: 0.05, Onset: 10 * time.Minute, Ramp: 10 * time.Minute}
	for at, want := range map[time.Duration]float64{
		5 * time.Minute: 0.01, 10 * time.Minute: 0.01, 15 * time.Minute: 0.03, 20 * time.Minute: 0.05, time.Hour: 0.05,
	} {
		if got := f.errors(&visit{at: at}, 0.01); math.Abs(got-want) > 1e-12 {
			t.Errorf("error rate %g after %s, want %g", got, at, want)
		}
	}
}

// shares counts for how many requests of some minutes something is so, by arm.
func shares(t *testing.T, app string, f Fault, is func(p *pair, arm int) bool) [2]float64 {
	c := cell(t, "same-api/10rps/random/flat")
	c.Name, c.App, c.Fault = "fault", app, f
	w := NewWorld(c, Score, 1)
	w.start()
	n, seen := 0.0, [2]float64{}
	for range 2000 {
		pairs := w.tick()
		for i := range pairs {
			n++
			for arm := range seen {
				if is(&pairs[i], arm) {
					seen[arm]++
				}
			}
		}
	}
	return [2]float64{seen[0] / n, seen[1] / n}
}

func TestFaultsAreAsLargeAsTheySay(t *testing.T) {
	slower := func(p *pair, arm int) bool { return p.on[arm].Latency > p.on[Stable].Latency }
	for _, c := range []struct {
		what  string
		app   string
		fault Fault
		is    func(*pair, int) bool
		want  [2]float64
	}{
		{"fails", API, Fault{Errors: 0.05}, func(p *pair, arm int) bool { return p.on[arm].Failed() }, [2]float64{0.005, 0.05}},
		{"is slower", API, Fault{Slow: 1.5, Tail: true}, slower, [2]float64{0, 0.1}},
		{"is slower in all", API, Fault{Slow: 1.5}, slower, [2]float64{0, 1}},
		{"is wrong", Chat, Fault{Wrong: 0.1}, func(p *pair, arm int) bool { return p.on[arm].Wrong }, [2]float64{0.1, 0.2}},
		{"is refused", Chat, Fault{Refused: 0.05}, func(p *pair, arm int) bool { return p.on[arm].Refused }, [2]float64{0.01, 0.06}},
		{"has a bad tool call", Chat, Fault{BadTool: 0.05}, func(p *pair, arm int) bool { return p.on[arm].BadTool }, [2]float64{0.005, 0.055}},
	} {
		got := shares(t, c.app, c.fault, c.is)
		for arm := range got {
			if math.Abs(got[arm]-c.want[arm]) > 0.01 {
				t.Errorf("%+v: %.4f of the requests %s, want %.4f (arm %d)", c.fault, got[arm], c.what, c.want[arm], arm)
			}
		}
	}
}

func TestAColdInstanceOfTheNewReleaseIsSlowFor30Seconds(t *testing.T) {
	c := Cell{Trouble: Trouble{Cold: true}}
	took := func(at time.Duration, l *life) time.Duration {
		r := Request{At: at, Latency: 100 * time.Millisecond, First: 100 * time.Millisecond}
		l.at(r.At)
		l.serve(&r)
		return r.Latency
	}
	old, fresh := newLife(&c, 1, Stable, 0), newLife(&c, 1, Canary, 0)
	for after, want := range [...]time.Duration{250 * time.Millisecond, 175 * time.Millisecond, 100 * time.Millisecond} {
		at := 10*time.Second + time.Duration(after)*15*time.Second
		if got := took(at, &fresh); got != want {
			t.Errorf("%s after its first request the new one takes %s, want %s", time.Duration(after)*15*time.Second, got, want)
		}
		if got := took(at, &old); got != 100*time.Millisecond {
			t.Errorf("the old one takes %s at %s", got, at)
		}
	}
}

func TestARequestIsResetWhenItsInstanceDies(t *testing.T) {
	l := newLife(&Cell{Fault: Fault{Loop: true}}, 1, Canary, 0)
	for at, want := range [...]Request{
		{Outcome: OK, Latency: 300 * time.Millisecond}, {Outcome: Reset, Latency: 100 * time.Millisecond},
	} {
		r := Request{At: time.Duration(at) * (loopAlive - 100*time.Millisecond), Latency: 300 * time.Millisecond}
		l.at(r.At)
		l.serve(&r)
		if r.Outcome != want.Outcome || r.Latency != want.Latency {
			t.Errorf("at %s: %+v, want %+v", r.At, r, want)
		}
	}
}

func TestAMismatchedShareIsThreeTenthsMoreAndNeverMoreThanAll(t *testing.T) {
	for weight, want := range map[float64]float64{0: 0, 0.1: 0.13, 0.5: 0.65, 0.9: 0.93, 1: 1} {
		if got := mismatched(weight); math.Abs(got-want) > 1e-12 {
			t.Errorf("a share of %g at a weight of %g, want %g", got, weight, want)
		}
	}
}

func TestHarmIsCountedAlsoAfterThePromotionIsOver(t *testing.T) {
	c := cell(t, "ready-but-broken/10rps/random/flat")
	r := PlayUntil(NewWorld(c, Score, 1), []Rule{fixed("blind", 10*time.Second, []float64{0.1}, nil)}, 500*time.Second)[0]
	if r.State != Finished || r.Canary < 4000 || math.Abs(r.Excess-float64(r.Canary)*(1-baseErrors)) > 50 {
		t.Errorf("%+v: want some 4900 requests on the new release, all of them failed", r)
	}
}
