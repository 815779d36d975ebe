package console

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/console/chart"
)

func TestADecisionsMarkHasItsWordsAndTheWeightThatItGave(t *testing.T) {
	r, c := promoted()
	marks := panels(r, c)["evidence"].chart.Marks
	if len(marks) != len(c.Marks) {
		t.Fatalf("%d marks for %d decisions", len(marks), len(c.Marks))
	}
	for i, m := range c.Marks {
		if marks[i].Text != m.Text || !marks[i].At.Equal(m.At) || marks[i].Label == "" {
			t.Errorf("mark %d is %+v, want what was decided: %+v", i, marks[i], m)
		}
	}
	about := course{r, c}
	for i, s := range c.Samples[:len(c.Samples)-1] {
		if got, want := about.weightAfter(s.At), c.Samples[i+1].Weight.String(); got != want {
			t.Errorf("after what was decided at the end of sample %d the weight is %s, want %s", i, got, want)
		}
	}
}

func TestTheDownloadHasEachFigureInItsOwnUnitAndColumn(t *testing.T) {
	r, c := rolledBack()
	c.Marks = []client.CourseMark{mark(2, "noted", "at the end of a second")}
	c.Marks[0].At = c.Samples[1].At
	number := func(text string) float64 {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	failures, evidence := readCSV(t, panels(r, c)["failures"].table())[1:], readCSV(t, panels(r, c)["evidence"].table())[1:]
	told := 0
	for i, s := range c.Samples {
		new, old := s.Canary.Failures, s.Stable.Failures
		want := []float64{100 * new.Estimate, 100 * new.Low, 100 * new.High, 100 * old.Estimate, 100 * old.Low, 100 * old.High,
			100 * float64(s.Canary.Failed) / float64(s.Canary.Requests), 100 * float64(s.Stable.Failed) / float64(s.Stable.Requests)}
		for k, v := range want {
			if got := number(failures[i][k+1]); math.Abs(got-v) > 1e-7 {
				t.Errorf("row %d, column %d is %v, want %v", i, k+1, got, v)
			}
		}
		if harm, safety := number(evidence[i][1]), number(evidence[i][2]); math.Abs(harm/s.Harm-1) > 1e-8 || math.Abs(safety/s.Safety-1) > 1e-8 {
			t.Errorf("row %d has harm %v and safety %v, want %v and %v", i, harm, safety, s.Harm, s.Safety)
		}
		if strings.Contains(strings.Join(failures[i], "|"), "at the end of a second") {
			told++
			if i != 1 {
				t.Errorf("row %d tells what was decided at the end of row 1", i)
			}
		}
	}
	if told != 1 {
		t.Errorf("%d rows tell a decision, want one", told)
	}
}

func TestTheLineOfSafetyIsThatOfSafety(t *testing.T) {
	r, c := promoted()
	for _, l := range panels(r, c)["evidence"].chart.Lines {
		for i, p := range l.Points {
			if want := map[string]float64{"safety": c.Samples[i].Safety, "harm": c.Samples[i].Harm}[l.Name]; l.Name != "" && p.Value != want {
				t.Fatalf("%s of sample %d is drawn as %v, want %v", l.Name, i, p.Value, want)
			}
		}
	}
}

func TestWhatIsNeededStandsBelowTheTop(t *testing.T) {
	r, c := held()
	if got := (course{r, c}).highest(); got < 2*c.Needed.Harm {
		t.Errorf("the axis ends at %v where %v is needed", got, c.Needed.Harm)
	}
}

func TestBandsSayHowSureTheyAre(t *testing.T) {
	r, c := held()
	c.Error = 0.05
	if got := (course{r, c}).bands(); got != "Each band holds at all times at once, with 95 %." {
		t.Errorf("it says %q", got)
	}
}

func TestSamplesOfTwoWeightsAreNotJoined(t *testing.T) {
	_, c := promoted()
	c.Samples[100].Weight = 700 // in the middle of what would be joined
	byWeight := func(samples []client.Sample) string {
		requests := map[fairlead.Weight]uint64{}
		for _, s := range samples {
			requests[s.Weight] += s.Canary.Requests
		}
		return fmt.Sprint(requests)
	}
	if got, want := byWeight(coarse(c.Samples, mostDots)), byWeight(c.Samples); got != want {
		t.Errorf("joined samples have %s requests by weight, want %s", got, want)
	}
}

func TestRequestsAreCountedPerSecondHoweverLongASampleIs(t *testing.T) {
	value := perSecond(func(s client.Sample) client.ArmSample { return s.Canary })
	s := client.Sample{From: noon, At: noon.Add(4 * time.Second), Canary: client.ArmSample{Requests: 100}}
	if b, ok := value(s); !ok || b.Estimate != 25 {
		t.Errorf("100 requests in 4 s are %v/s", b.Estimate)
	}
	s.At = noon.Add(time.Millisecond)
	if b, ok := value(s); ok {
		t.Errorf("a sample that has just begun has %v/s", b.Estimate)
	}
}

func TestTheMeasuredShareBeginsAnewWithEachWeight(t *testing.T) {
	r, c := promoted()
	for _, l := range panels(r, c)["split"].chart.Lines {
		if l.Name != "measured" {
			continue
		}
		gaps := 0
		for i, p := range l.Points {
			if math.IsNaN(p.Value) {
				gaps++
			}
			if i > 0 && p == (chart.Point{}) {
				t.Errorf("point %d is none", i)
			}
		}
		if gaps != 2 {
			t.Errorf("the line has %d gaps, want one at each of two changes of the weight", gaps)
		}
	}
}

func TestAFirstByteThatIsHardlySoonerHasNoChart(t *testing.T) {
	r, c := promoted()
	for i := range c.Samples {
		for _, arm := range []*client.ArmSample{&c.Samples[i].Stable, &c.Samples[i].Canary} {
			first := *arm.Latency
			first[0].Estimate *= 0.9
			arm.First = &first
		}
	}
	if _, shown := panels(r, c)["first"]; shown {
		t.Error("a first byte at nine tenths of the time has a chart")
	}
}
