package rollout_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/rollout/judge"
)

// course reads a rollout's course as somebody who never asked for it before.
func (b *bench) course(id string) rollout.Course {
	b.t.Helper()
	c, err := rollout.NewCourses(b.store).Of(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

// agrees checks a course against what the engine says at the same input.
func (b *bench) agrees(c rollout.Course) {
	b.t.Helper()
	state, err := b.engine.Find(b.t.Context(), c.Rollout.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	var tally rollout.Tally
	for _, s := range c.Samples {
		tally.Stable.Requests += s.Stable.Requests
		tally.Stable.Failed += s.Stable.Failed
		tally.Canary.Requests += s.Canary.Requests
		tally.Canary.Failed += s.Canary.Failed
	}
	if tally != state.Tally {
		b.t.Errorf("the samples count %+v, the rollout %+v", tally, state.Tally)
	}
	if c.Differs != "" {
		b.t.Errorf("it differs: %s", c.Differs)
	}
	ours, _ := json.Marshal(c.Rollout)
	if recorded, _ := json.Marshal(state.Rollout); string(ours) != string(recorded) {
		b.t.Errorf("it ends in another rollout:\n%s\nrecorded is\n%s", ours, recorded)
	}
	if state.Report == nil || len(c.Samples) == 0 {
		return
	}
	var report judge.Report
	if err := json.Unmarshal(state.Report, &report); err != nil {
		b.t.Fatal(err)
	}
	last := c.Samples[len(c.Samples)-1]
	if last.Harm != report.Harm.E || last.Safety != report.Safety.E {
		b.t.Errorf("the newest sample has harm %v, safety %v; the rollout %v and %v", last.Harm, last.Safety, report.Harm.E, report.Safety.E)
	}
	for _, s := range report.Signals {
		if got := last.Signals[s.Name]; got != (rollout.SignalSample{Harm: s.Harm, Safety: s.Safety.E}) {
			b.t.Errorf("the newest sample has %+v for %s; the rollout %v and %v", got, s.Name, s.Harm, s.Safety.E)
		}
	}
	if last.Weight != state.Rollout.Weight {
		b.t.Errorf("the newest sample has weight %v, the rollout %v", last.Weight, state.Rollout.Weight)
	}
}

// follows checks that samples follow each other without a gap, and are not too many.
func follows(t *testing.T, c rollout.Course) {
	t.Helper()
	if len(c.Samples) > 240 {
		t.Errorf("there are %d samples, want at most 240", len(c.Samples))
	}
	for i, s := range c.Samples {
		switch {
		case s.At.Before(s.From):
			t.Errorf("sample %d ends before it begins: %v to %v", i, s.From, s.At)
		case i > 0 && !s.From.Equal(c.Samples[i-1].At):
			t.Errorf("sample %d begins at %v, the one before it ends at %v", i, s.From, c.Samples[i-1].At)
		case i < len(c.Samples)-2 && s.At.Sub(s.From) != c.Each:
			t.Errorf("sample %d is %v long, want %v", i, s.At.Sub(s.From), c.Each)
		}
	}
}

func TestACourseAgreesWithItsRolloutAtEveryInput(t *testing.T) {
	for name, rate := range map[string]float64{"harmful": 0.3, "good": 0.005} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.first()
			id := b.begin(2).ID
			kept := rollout.NewCourses(b.store)
			for seconds := 0; !ended(b.find(id)); seconds++ {
				if seconds > 1000 {
					t.Fatal("nothing was decided in 1000 seconds")
				}
				b.second(id, 0.005, rate)
				c, err := kept.Of(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				b.agrees(c)
				follows(t, c)
			}
			live, err := kept.Of(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			b.restart()
			if again := b.course(id); !reflect.DeepEqual(again, live) {
				t.Errorf("the course of the rollout that ended is not the one that was followed:\n%+v\n%+v", again, live)
			}
		})
	}
}

func TestTheCourseOfARollbackReachesTheThresholdAndSaysEachDecision(t *testing.T) {
	b := newBench(t)
	b.first()
	r := b.until(b.begin(2).ID, 0.005, 0.3, ended)
	c := b.course(r.ID)
	if c.Needed.Harm != 300 || c.Needed.Safety != 20 {
		t.Errorf("needed are %+v, want 300 and 20", c.Needed)
	}
	most := 0.0
	for _, s := range c.Samples {
		most = max(most, s.Harm)
	}
	if most < 300 {
		t.Errorf("the highest evidence of harm is %v, want 300 or more", most)
	}
	if n := len(c.Samples); n < 2 || c.Samples[n-2].At.Sub(c.Samples[n-2].From) != c.Each {
		t.Errorf("the end is in none of its %d samples, but after them", n)
	}
	if len(c.Marks) != len(r.Notes) {
		t.Fatalf("%d marks, want one for each of %d notes", len(c.Marks), len(r.Notes))
	}
	for i, m := range c.Marks {
		if m.Text != r.Notes[i].Text || !m.At.Equal(r.Notes[i].Time) {
			t.Errorf("mark %d is %+v, want %+v", i, m, r.Notes[i])
		}
	}
	if first := c.Marks[0].Kind; first != "rollout.began" {
		t.Errorf("the first mark is %s", first)
	}
}

func TestEveryStepThatIsEarnedShowsItsProof(t *testing.T) {
	b := newBench(t)
	b.first()
	c := b.course(b.until(b.begin(2).ID, 0.005, 0.005, ended).ID)
	earned := 0
	for _, m := range c.Marks {
		if m.Kind != "rollout.advanced" {
			continue
		}
		earned++
		shown := false
		for _, s := range c.Samples {
			shown = shown || s.Safety >= c.Needed.Safety && !m.At.Before(s.From) && !m.At.After(s.At)
		}
		if !shown {
			t.Errorf("no sample at %v shows evidence of safety of %v or more", m.At, c.Needed.Safety)
		}
	}
	if earned == 0 {
		t.Error("no step was earned")
	}
}

func TestALongCourseHasFewSamplesAndLosesNoRequest(t *testing.T) {
	b := newBench(t)
	b.first()
	id := b.begin(2).ID
	b.feed(id, rollout.Input{})
	if _, err := b.engine.Act(t.Context(), site, rollout.Ask{Command: rollout.Pause}, admin); err != nil {
		t.Fatal(err)
	}
	for range 1100 {
		b.second(id, 0.005, 0.005)
	}
	b.now = b.now.Add(3 * time.Hour) // nothing comes
	b.second(id, 0.005, 0.005)
	c := b.course(id)
	b.agrees(c)
	follows(t, c)
	if c.Each != 64*time.Second || len(c.Samples) < 120 {
		t.Errorf("%d samples of %v each, want more than 120 of 64s", len(c.Samples), c.Each)
	}
	if s := c.Samples[100]; s.Stable.Requests+s.Canary.Requests != 0 || s.Harm != c.Samples[99].Harm {
		t.Errorf("a sample in which nothing came has %d requests and other evidence than the one before", s.Stable.Requests)
	}
}

func TestReleasesWithoutAJudgeHaveACourse(t *testing.T) {
	b := newBench(t)
	first := b.begin(1)
	b.feed(first.ID, rollout.Input{})
	b.until(b.begin(2).ID, 0.005, 0.005, ended)
	back := b.beginAs(rollout.Back, 1)
	for range 3 {
		if !ended(b.find(back.ID)) {
			b.second(back.ID, 0, 0)
		}
	}
	again := b.begin(1)
	for _, r := range []rollout.Rollout{first, back, again} {
		c := b.course(r.ID)
		b.agrees(c)
		if c.Needed.Harm != 0 || c.Needed.Safety != 0 {
			t.Errorf("rollout of %d needs %+v, want nothing", r.To, c.Needed)
		}
		if end := b.find(r.ID); len(c.Marks) != len(end.Notes) {
			t.Errorf("rollout of %d has %d marks, want %d", r.To, len(c.Marks), len(end.Notes))
		}
		for _, s := range c.Samples {
			if s.Harm != 0 || s.Safety != 0 || s.Signals != nil {
				t.Errorf("a rollout that nobody judges has evidence: %+v", s)
			}
		}
	}
}

func TestACourseWithoutItsInputsIsAnError(t *testing.T) {
	b := newBench(t)
	b.first()
	courses := rollout.NewCourses(b.store)
	if _, err := courses.Of(t.Context(), "ro-none"); fairlead.CodeOf(err) != fairlead.NotFound {
		t.Errorf("the course of no rollout: %v, want not found", err)
	}
	id := b.begin(2).ID
	b.second(id, 0, 0)
	b.second(id, 0, 0)
	for name, change := range map[string]func(n uint64, f *fairlead.Fact) (keep bool){
		"missing": func(n uint64, _ *fairlead.Fact) bool { return n != 2 },
		"garbled": func(n uint64, f *fairlead.Fact) bool { f.Body = f.Body[:len(f.Body)/int(n)]; return true },
	} {
		broken := rollout.NewCourses(altered{b.store, change})
		for range 2 {
			if _, err := broken.Of(t.Context(), id); fairlead.CodeOf(err) != fairlead.Corrupt {
				t.Errorf("the course of inputs that are %s: %v, want corrupt", name, err)
			}
		}
	}
}
