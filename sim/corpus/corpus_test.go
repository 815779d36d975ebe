package corpus

import (
	"math"
	"reflect"
	"slices"
	"testing"
	"time"
)

// ladder is a judge that takes fixed steps whatever happens.
type ladder struct {
	step  time.Duration
	steps []float64
	see   func(*Second)
}

func (l *ladder) Second(s *Second) Decision {
	if l.see != nil {
		l.see(s)
	}
	n := int(s.Now / l.step)
	if n >= len(l.steps) {
		return Decision{Weight: 1, State: Finished}
	}
	return Decision{Weight: l.steps[n]}
}

func fixed(name string, step time.Duration, steps []float64, see func(*Second)) Rule {
	return Rule{Name: name, Live: true, New: func(Start) Judge { return &ladder{step, steps, see} }}
}

func cell(t testing.TB, name string) Cell {
	t.Helper()
	for _, c := range Cells() {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no cell %q", name)
	return Cell{}
}

func TestAtLeastHalfOfTheCorpusHasNoFault(t *testing.T) {
	good, names, weights := 0, map[string]bool{}, map[string]float64{}
	for _, c := range Cells() {
		if names[c.Name] {
			t.Errorf("two cells are called %s", c.Name)
		}
		names[c.Name] = true
		if c.Good {
			good++
		} else {
			weights[c.Kind] += c.Weight
		}
		if c.Good != (c.Harm == "") || c.Good != (c.Weight == 0) {
			t.Errorf("%s: good %t, harm %q, weight %g", c.Name, c.Good, c.Harm, c.Weight)
		}
	}
	if all := len(names); 2*good < all {
		t.Errorf("%d of %d cells have no fault, want at least half", good, all)
	}
	for kind, w := range weights {
		if math.Abs(w-1) > 1e-9 {
			t.Errorf("%s weighs %g, want 1", kind, w)
		}
	}
	if len(weights) != len(faultKinds()) {
		t.Errorf("%d faults have cells, want %d", len(weights), len(faultKinds()))
	}
}

func TestEachTrafficComesAboutEquallyOften(t *testing.T) {
	count := map[string]int{}
	for _, c := range Cells() {
		count[c.Traffic.name()]++
	}
	if len(count) != 12 {
		t.Errorf("%d kinds of traffic, want 12: %v", len(count), count)
	}
	for name, n := range count {
		if n < 10 {
			t.Errorf("%s comes %d times only", name, n)
		}
	}
}

func TestAWorldIsTheSameEachTimeAndAnotherWithAnotherSeed(t *testing.T) {
	for _, c := range Cells() {
		if c.Traffic.Rate > 10 {
			continue
		}
		draw := func(split Split, n int) []pair {
			w := NewWorld(c, split, n)
			w.start()
			var all []pair
			for range 30 {
				all = append(all, w.tick()...)
			}
			return all
		}
		first := draw(Score, 1)
		if !reflect.DeepEqual(first, draw(Score, 1)) {
			t.Fatalf("%s: the same seed gave other requests", c.Name)
		}
		if len(first) > 0 && (reflect.DeepEqual(first, draw(Score, 2)) || reflect.DeepEqual(first, draw(Tune, 1))) {
			t.Fatalf("%s: another seed gave the same requests", c.Name)
		}
	}
}

// Whatever their weights, all judges meet the same users, and a user of one release
// has the same luck there under each of them.
func TestAllJudgesMeetTheSameUsers(t *testing.T) {
	for _, name := range []string{"errors-5%/10rps/sticky/flat", "same-chat/10rps/random/flat", "share-mismatch/10rps/sticky/flat"} {
		c := cell(t, name)
		type key struct {
			number uint32
			canary bool
		}
		seen := [2]map[key]Request{{}, {}}
		units := [2]map[uint32]uint64{{}, {}}
		see := func(n int) func(*Second) {
			return func(s *Second) {
				for _, r := range s.Ended {
					seen[n][key{r.Number, r.Canary}] = r
					units[n][r.Number] = r.Unit
				}
			}
		}
		PlayUntil(NewWorld(c, Score, 3), []Rule{
			fixed("slow", 100*time.Second, []float64{0.1, 0.2}, see(0)), fixed("quick", 30*time.Second, []float64{0.5, 0.1, 0.9, 0.9, 0.9}, see(1)),
		}, 150*time.Second)
		same := 0
		for number, unit := range units[0] {
			if other, both := units[1][number]; both && other != unit {
				t.Fatalf("%s: request %d is of another unit for the second judge", name, number)
			}
		}
		for k, r := range seen[0] {
			if other, both := seen[1][k]; both {
				r.Instance, other.Instance = 0, 0 // follows the weight
				if same++; r != other {
					t.Fatalf("%s: %+v under one judge, %+v under the other", name, r, other)
				}
			}
		}
		if same < 500 {
			t.Errorf("%s: %d requests in common, too few to tell", name, same)
		}
	}
}

func TestAFaultTouchesOnlyTheNewRelease(t *testing.T) {
	for _, c := range Cells() {
		if c.Good && c.Fault.none() || c.Traffic.Rate != 10 {
			continue
		}
		sound := c
		sound.Fault = Fault{}
		w, plain := NewWorld(c, Score, 5), NewWorld(sound, Score, 5)
		w.start()
		plain.start()
		differ := 0
		for range 3600 {
			a, b := w.tick(), plain.tick()
			for i := range a {
				if a[i].on[Stable] != b[i].on[Stable] {
					t.Fatalf("%s: the old release's request %+v became %+v by the fault", c.Name, b[i].on[Stable], a[i].on[Stable])
				}
				if a[i].on[Canary] != b[i].on[Canary] {
					differ++
				}
			}
		}
		if differ == 0 && !c.perInstance() {
			t.Errorf("%s: an hour of the fault changed nothing", c.Name)
		}
	}
}

// Without a fault both arms are alike: over many worlds at one half each, failures,
// latency and what is reported differ by no more than chance.
func TestWithoutAFaultTheArmsAreExchangeable(t *testing.T) {
	for _, c := range Cells() {
		if !c.Good || !c.Fault.none() || c.Traffic.Rate != 10 || c.Trouble.Cold {
			continue // a cold start is a difference, though no fault
		}
		var n, failed, slow, wrong [2]float64
		see := func(s *Second) {
			for _, r := range s.Ended {
				arm := Stable
				if r.Canary {
					arm = Canary
				}
				n[arm]++
				failed[arm] += Errors.of(&r)
				slow[arm] += TooSlow.of(&r)
				wrong[arm] += Answers.of(&r)
			}
		}
		for seed := range 6 {
			PlayUntil(NewWorld(c, Score, seed), []Rule{fixed("half", time.Hour, []float64{0.5}, see)}, 1500*time.Second)
		}
		for what, hits := range map[string][2]float64{"failed": failed, "slow": slow, "wrong": wrong} {
			p := (hits[0] + hits[1]) / (n[0] + n[1])
			sd := math.Sqrt(p * (1 - p) * (1/n[0] + 1/n[1]))
			if c.Traffic.Sticky || c.Trouble != (Trouble{}) {
				sd *= 3 // requests of a session, and of a stall, go together
			}
			if d := math.Abs(hits[0]/n[0] - hits[1]/n[1]); d > 4*sd {
				t.Errorf("%s: %s in %.4f of the old and %.4f of the new release's requests (sd %.4f)", c.Name, what, hits[0]/n[0], hits[1]/n[1], sd)
			}
		}
	}
}

func TestTheShareIsAsAskedForAndAUnitStaysWhileItGrows(t *testing.T) {
	v := newView(NewWorld(cell(t, "same-api/10rps/random/flat"), Score, 1), false)
	for unit := range uint64(2000) {
		was := false
		for _, w := range []float64{0, 0.1, 0.5, 0.95, 1} {
			v.want(w)
			is := v.assigned(mix(unit, 99))
			if was && !is {
				t.Fatalf("unit %d left the new release when its weight grew to %g", unit, w)
			}
			if w == 0 && is || w == 1 && !is {
				t.Fatalf("weight %g, on the new release: %t", w, is)
			}
			was = is
		}
	}
	v.want(0.1)
	n := 0
	for unit := range uint64(100000) {
		if v.assigned(mix(unit, 99)) {
			n++
		}
	}
	if n < 9600 || n > 10400 {
		t.Errorf("%d of 100000 units are on the new release at 10 %%", n)
	}
}

func TestArrivalsHaveTheRateAndTheBurstsOfTheTrace(t *testing.T) {
	for _, c := range []string{"same-api/10rps/random/flat", "same-api/10rps/sticky/flat", "same-chat/100rps/random/flat"} {
		w := NewWorld(cell(t, c), Score, 1)
		var counts []float64
		for range 1000 {
			n := 0.0
			for range 10 { // so long that the gaps' shape is seen
				n += float64(len(w.tick()))
			}
			counts = append(counts, n)
		}
		mean, square := 0.0, 0.0
		for _, n := range counts {
			mean += n / float64(len(counts))
		}
		for _, n := range counts {
			square += (n - mean) * (n - mean) / float64(len(counts))
		}
		if want := 10 * w.cell.Traffic.Rate; mean < 0.93*want || mean > 1.07*want {
			t.Errorf("%s: %.1f requests in 10 s, want %.0f", c, mean, want)
		}
		if index := square / mean; index < 1.5 || index > 6 {
			t.Errorf("%s: variance %.2f times the mean; a Gamma renewal process of shape 1/2 has 2, sessions add to it", c, index)
		}
	}
}

func TestAnswersHaveTheLengthsOfTheTrace(t *testing.T) {
	w := NewWorld(cell(t, "same-chat/100rps/random/flat"), Score, 1)
	var tokens []float64
	for range 300 {
		for _, p := range w.tick() {
			if r := p.on[Stable]; !r.Failed() {
				tokens = append(tokens, float64(r.Tokens))
			}
		}
	}
	slices.Sort(tokens)
	median, ninth := tokens[len(tokens)/2], tokens[len(tokens)*9/10]
	if math.Abs(median-129) > 5 || math.Abs(ninth-398) > 20 {
		t.Errorf("median %g tokens and 90th percentile %g, want 129 and 398", median, ninth)
	}
	mean := 0.0
	for _, n := range tokens {
		mean += (0.05 + 0.001*n) / float64(len(tokens))
	}
	if math.Abs(mean-answerCost) > 0.01 {
		t.Errorf("an answer costs %.3f on average; answerCost is %.3f", mean, answerCost)
	}
}

func TestAJudgeIsToldNothingBeforeItsTime(t *testing.T) {
	for _, name := range []string{"same-chat/10rps/sticky/flat", "stalls/10rps/random/flat"} {
		open := map[uint32]Request{}
		see := func(s *Second) {
			for _, r := range s.Arrived {
				if r.Latency != 0 || r.First != 0 || r.Outcome != OK || r.Tokens != 0 || r.Cost != 0 || r.Wrong {
					t.Fatalf("%s: an arrival says more than it may: %+v", name, r)
				}
				open[r.Number] = r
			}
			for _, r := range s.Begun {
				if b := r.At + r.First; b >= s.Now || b < s.Now-time.Second {
					t.Fatalf("%s: told at %s of a first byte at %s", name, s.Now, b)
				}
			}
			for _, r := range s.Ended {
				if end := r.At + r.Latency; end >= s.Now || end < s.Now-time.Second {
					t.Fatalf("%s: told at %s of an end at %s", name, s.Now, end)
				}
				if a, known := open[r.Number]; !known || a.Unit != r.Unit || a.Canary != r.Canary || a.At != r.At {
					t.Fatalf("%s: %+v ended but %+v arrived", name, r, a)
				}
				delete(open, r.Number)
			}
		}
		PlayUntil(NewWorld(cell(t, name), Score, 1), []Rule{fixed("half", time.Hour, []float64{0.5}, see)}, 200*time.Second)
		for _, r := range open {
			if 200*time.Second-r.At > 35*time.Second {
				t.Errorf("%s: request %d of %s never ended", name, r.Number, r.At)
			}
		}
	}
}

func TestInstancesCrashLeakAndNeverGetReadyAsTheFaultSays(t *testing.T) {
	restarts := func(name string, horizon time.Duration) (n int, looping, ready bool) {
		see := func(s *Second) {
			n += s.Instances[Canary].Restarts
			looping = looping || s.Instances[Canary].Looping
			ready = ready || s.Instances[Canary].Ready > 0
		}
		for _, c := range Cells() {
			if c.Kind == name && c.Traffic.Rate == 10 {
				PlayUntil(NewWorld(c, Score, 1), []Rule{fixed("tenth", 10*time.Hour, []float64{0.1}, see)}, horizon)
				return n, looping, ready
			}
		}
		t.Fatalf("no cell of %s", name)
		return 0, false, false
	}
	if n, looping, _ := restarts("crash-loop", 3*time.Minute); n < 3 || !looping {
		t.Errorf("crash loop: %d restarts in 3 minutes, looping %t", n, looping)
	}
	if n, looping, _ := restarts("memory-leak", 50*time.Minute); n != 2 && n != 3 || looping {
		t.Errorf("leak: %d restarts in 50 minutes, want 2 or 3; looping %t", n, looping)
	}
	if _, _, ready := restarts("bad-config", time.Minute); ready {
		t.Error("an instance with a bad configuration got ready")
	}
	if n, _, ready := restarts("same-api", 20*time.Minute); n != 0 || !ready {
		t.Errorf("a sound release restarted %d times, ready %t", n, ready)
	}
}

func TestHarmIsWhatUsersWouldNotHaveHadOnTheOldRelease(t *testing.T) {
	c := cell(t, "ready-but-broken/10rps/random/flat")
	r := PlayUntil(NewWorld(c, Score, 1), []Rule{fixed("tenth", 10*time.Hour, []float64{0.1}, nil)}, 1000*time.Second)[0]
	if r.Canary < 700 || r.Canary > 1300 {
		t.Fatalf("%d requests on the new release, want about 1000", r.Canary)
	}
	if want := float64(r.Canary) * (1 - baseErrors); math.Abs(r.Excess-want) > 20 {
		t.Errorf("excess %g of %d requests that all failed, want about %.0f", r.Excess, r.Canary, want)
	}
	better := cell(t, "same-api/10rps/random/flat")
	better.Harm = Errors // two releases that are the same do no harm
	if r := PlayUntil(NewWorld(better, Score, 1), []Rule{fixed("half", 10*time.Hour, []float64{0.5}, nil)}, 500*time.Second)[0]; r.Excess != 0 {
		t.Errorf("excess %g of a release that is the same", r.Excess)
	}
}

func BenchmarkAWorldOf100RequestsASecond(b *testing.B) {
	w := NewWorld(cell(b, "errors-5%/100rps/random/flat"), Score, 1)
	w.start()
	v := newView(w, true)
	v.want(0.1)
	b.ResetTimer()
	n := 0
	for range b.N {
		pairs := w.tick()
		n += len(pairs)
		v.tick(pairs)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/request")
}

func TestEveryRequestTakesAPlausibleTimeBeforeAndAfterTheBeginning(t *testing.T) {
	for _, c := range Cells() {
		if c.Traffic.Rate != 10 {
			continue
		}
		check := func(r *Request) {
			if r.Latency <= 0 || r.Latency > Deadline+10*time.Second || r.First <= 0 || r.First > r.Latency {
				t.Fatalf("%s: a latency of %s and a first byte after %s: %+v", c.Name, r.Latency, r.First, r)
			}
		}
		failed, all := 0, 0
		rule := fixed("half", time.Hour, []float64{0.5}, func(s *Second) {
			for i := range s.Ended {
				check(&s.Ended[i])
			}
		})
		inner := rule.New
		rule.New = func(s Start) Judge {
			for i := range s.History {
				check(&s.History[i])
				if all++; s.History[i].Failed() {
					failed++
				}
			}
			return inner(s)
		}
		PlayUntil(NewWorld(c, Score, 0), []Rule{rule}, 300*time.Second)
		if failed > all/20 || all < 2000 {
			t.Errorf("%s: %d of %d requests before the beginning failed", c.Name, failed, all)
		}
	}
}
