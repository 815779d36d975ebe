package chart

import (
	"bytes"
	"encoding/xml"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var rewrite = flag.Bool("rewrite", false, "write the golden drawings anew")

var began = time.Date(2026, 11, 23, 10, 4, 5, 0, time.UTC)

func after(seconds float64) time.Time {
	return began.Add(time.Duration(seconds * float64(time.Second)))
}

// line is a line through values, one a second.
func line(values ...float64) Line {
	l := Line{Name: "new", Style: New}
	for i, v := range values {
		l.Points = append(l.Points, Point{At: after(float64(i)), Value: v, Low: v * 0.8, High: v * 1.2})
	}
	return l
}

// of is a chart of lines over as many seconds as the longest has points.
func of(lines ...Line) Chart {
	c := Chart{Title: "Failures, %", Says: "new 4 %.", Empty: "No traffic yet", From: began, To: began, Lines: lines, Y: Axis{Unit: "%"}}
	for _, l := range lines {
		for _, p := range l.Points {
			if p.At.After(c.To) {
				c.To = p.At
			}
		}
	}
	return c
}

func TestGoldenDrawings(t *testing.T) {
	old := line(3, 2, 1, 1)
	old.Name, old.Style, old.Band = "old", Old, true
	evidence := of(Line{Name: "harm", Style: Harm, Points: line(1, 9, 80, 700).Points})
	evidence.Y = Axis{Log: true, Low: 0.1, High: 1000}
	evidence.Levels = []Level{{300, "harmful at 300", Harm}}
	evidence.Marks = []Mark{{At: after(3), Label: "rolled back", Text: "v3 is worse", Style: Harm, Rank: 9}}
	for name, c := range map[string]Chart{"failures": of(old, line(2, 4, math.NaN(), 5)), "evidence": evidence, "empty": of()} {
		got := append(c.Inline("golden"), '\n')
		file := filepath.Join("testdata", name+".svg")
		if *rewrite {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is drawn otherwise (look at it, then run with -rewrite):\n%s\nwant\n%s", name, got, want)
		}
	}
}

func TestAnEmptyChartSaysWhyInItsFrame(t *testing.T) {
	for _, c := range []Chart{of(), of(line(math.NaN(), math.NaN())), of(Line{})} {
		if got := string(c.Inline("x")); !strings.Contains(got, ">No traffic yet</text>") || strings.Contains(got, "yticks") {
			t.Errorf("an empty chart is drawn as %s", got)
		}
	}
}

func TestAValueBeyondTheAxisIsDrawnAtTheEdgeAndTold(t *testing.T) {
	c := of(line(1, 1e300))
	c.Y = Axis{Log: true, Low: 0.1, High: 1000}
	got := string(c.Inline("x"))
	if !strings.Contains(got, "↑\u00a01e300") {
		t.Errorf("the label does not point up: %s", got)
	}
	if !strings.Contains(got, "What is above 1,000 is drawn at the top edge.</desc>") {
		t.Errorf("the description does not tell: %s", got)
	}
}

func TestTheFirstWideBandsDoNotHideTheRest(t *testing.T) {
	l := line(4, 4, 4, 4, 4, 4)
	l.Band = true
	for i := range l.Points {
		l.Points[i].Low, l.Points[i].High = 4-4/float64(i+1), 4+96/float64((i+1)*(i+1))
	}
	if high := of(l).scale().high; high > 12 {
		t.Errorf("the axis goes up to %g for a value of 4", high)
	}
}

func TestTicksAreRoundAndFew(t *testing.T) {
	for _, c := range []struct {
		s    scale
		want string
	}{
		{scale{high: 5.2}, "0 % 2 % 4 %"}, {scale{high: 1}, "0 % 0.5 % 1 %"}, {scale{high: 1234}, "0 % 500 % 1,000 %"},
		{scale{high: 0.04}, "0 % 0.01 % 0.02 % 0.03 % 0.04 %"},
		{scale{low: 0.1, high: 1000, log: true}, "0.1 % 1 % 10 % 100 % 1,000 %"},
		{scale{low: 20, high: 90, log: true}, "20 % 50 %"}, {scale{low: 2, high: 40, log: true}, "2 % 5 % 10 % 20 %"}, {scale{low: 1, high: 1e12, log: true}, "1 % 1,000 % 1,000,000 % 1e9 % 1e12 %"},
	} {
		var got []string
		for _, tick := range c.s.ticks("%") {
			got = append(got, strings.ReplaceAll(tick.label, "\u00a0", " "))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("ticks up to %g are %q, want %q", c.s.high, got, c.want)
		}
	}
}

func TestTimeCountsFromTheBeginning(t *testing.T) {
	for long, want := range map[time.Duration]string{
		19 * time.Second: "0 5 s 10 s 15 s", 150 * time.Second: "0 30 s 60 s 90 s 120 s 150 s", time.Hour: "0 10 min 20 min 30 min 40 min 50 min 60 min",
		30 * time.Hour: "0 6 h 12 h 18 h 24 h 30 h", 0: "0 1 s",
	} {
		c := Chart{From: began, To: began.Add(long)}
		var got []string
		for _, tick := range c.timeTicks() {
			got = append(got, strings.ReplaceAll(tick.label, "\u00a0", " "))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s has ticks %q, want %q", long, got, want)
		}
	}
}

func TestALeanLineIsWithinHalfAPixel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []spot
		for i := range rapid.IntRange(1, 60).Draw(t, "n") {
			all = append(all, spot{4 * i, rapid.IntRange(0, 300).Draw(t, "y")})
		}
		few := lean(all, offLine)
		next := 0
		for _, p := range all {
			for next < len(few)-1 && few[next+1].x <= p.x {
				next++
			}
			y := float64(few[next].y)
			if next < len(few)-1 {
				a, b := few[next], few[next+1]
				y += float64(b.y-a.y) * float64(p.x-a.x) / float64(b.x-a.x)
			}
			if off := math.Abs(y - float64(p.y)); off > 1 {
				t.Fatalf("%v is %g half pixels beside the line through %v", p, off, few)
			}
		}
	})
}

func TestLabelsAtTheEndsOfLinesDoNotCover(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const height = 150
		var labels []ending
		for range rapid.IntRange(1, 11).Draw(t, "n") {
			labels = append(labels, ending{at: rapid.Float64Range(0, height).Draw(t, "at")})
		}
		spread(labels, height)
		for i, l := range labels {
			if l.y < -0.001 || l.y > height+0.001 {
				t.Fatalf("label %d is at %g", i, l.y)
			}
			if i > 0 && l.y-labels[i-1].y < lineHeight-0.001 {
				t.Fatalf("labels at %g and %g cover each other", labels[i-1].y, l.y)
			}
		}
	})
}

func TestLabelsOfMarksDoNotCover(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var marks []Mark
		for range rapid.IntRange(1, 12).Draw(t, "n") {
			marks = append(marks, Mark{At: after(rapid.Float64Range(0, 100).Draw(t, "at")), Rank: rapid.IntRange(0, 3).Draw(t, "rank"),
				Label: strings.Repeat("x", rapid.IntRange(0, 12).Draw(t, "letters"))})
		}
		at := func(m Mark) float64 { return m.At.Sub(began).Seconds() / 100 }
		read := readable(marks, at)
		for i, a := range marks {
			for j, b := range marks[:i] {
				for _, frame := range []float64{narrowFrame, wideFrame} {
					if min(read[i], read[j]) == nowhere || frame == narrowFrame && min(read[i], read[j]) == whereWide {
						continue
					}
					from, to := extent(at(a), anchored(at(a)), a.Label, frame)
					if overlaps([][2]float64{{from, to}}, first(extent(at(b), anchored(at(b)), b.Label, frame)), second(extent(at(b), anchored(at(b)), b.Label, frame))) {
						t.Fatalf("labels of %v and %v cover each other", a, b)
					}
				}
			}
		}
	})
}

func first(a, _ float64) float64  { return a }
func second(_, b float64) float64 { return b }

func TestAMarkOfAHigherRankKeepsItsLabel(t *testing.T) {
	read := readable([]Mark{{Label: "rolled back", Rank: 9, At: after(50)}, {Label: "25 %", Rank: 1, At: after(51)}}, func(m Mark) float64 {
		return m.At.Sub(began).Seconds() / 100
	})
	if read[0] != everywhere || read[1] != nowhere {
		t.Errorf("labels can be read %v", read)
	}
}

func TestALevelsLabelStandsWhereNoLineRuns(t *testing.T) {
	rising := [][]spot{{{0, 40}, {480, 290}, {960, 300}}} // through the left end, far below at the right
	where, _ := freePlace("harmful at 300", 30, 150, rising, nil, 960, nil)
	if where.anchor != end {
		t.Errorf("the label stands at the %s, where the line runs", where.anchor)
	}
	_, taken := freePlace("safe at 20", 30, 150, nil, nil, 960, nil)
	if other, b := freePlace("harmful at 300", 32, 150, nil, nil, 960, []box{taken}); b.left < taken.right && b.right > taken.left && b.top < taken.bottom && b.bottom > taken.top {
		t.Errorf("labels of two levels cover each other: %v", other)
	}
}

func TestADotIsWhereALineReachesItsLevel(t *testing.T) {
	c := of(Line{Style: Safe, Points: line(1, 10, 100, 1, 100).Points})
	c.Y = Axis{Log: true, Low: 0.1, High: 1000}
	c.Levels = []Level{{Value: 31.6228, Style: Safe, Label: "safe"}}
	got := string(c.Inline("x"))
	if n := strings.Count(got, "<circle"); n != 2 {
		t.Errorf("%d dots for two times that the level is reached", n)
	}
	if !strings.Contains(got, `cx="37.`) {
		t.Errorf("the first is not half way between one second and two: %s", got)
	}
}

func TestTheSameChartIsTheSameText(t *testing.T) {
	c := of(line(1, 2, 3), line(3, 1, 2))
	if !bytes.Equal(c.Inline("x"), c.Inline("x")) || !bytes.Equal(c.File(""), c.File("")) {
		t.Error("two drawings of a chart differ")
	}
}

// FuzzTexts puts any text into each place of a chart: it stays text.
func FuzzTexts(f *testing.F) {
	for _, seed := range []string{"", "<script>alert(1)</script>", `"><svg onload=x>`, "a&b;", "]]>", "\x00\x1b\xff", "'", "\u202e", "</desc></svg>", "\ufffe"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := of(line(1, 2))
		c.Title, c.Says, c.Lines[0].Name, c.Y.Unit = text, text, text, text
		c.Marks = []Mark{{At: after(1), Label: text, Text: text}}
		c.Levels = []Level{{1, text, Safe}}
		want := elements(t, of(line(1, 2)).withLabels().File(""))
		if got := elements(t, c.File("")); got["script"] > 0 || got["svg"] != want["svg"] {
			t.Errorf("%q makes elements: %v", text, got)
		}
	})
}

func (c Chart) withLabels() Chart {
	c.Marks, c.Levels = []Mark{{At: after(1), Label: "x", Text: "x"}}, []Level{{1, "x", Safe}}
	return c
}

// elements counts the elements of a drawing, which must be well formed.
func elements(t *testing.T, svg []byte) map[string]int {
	t.Helper()
	out := map[string]int{}
	dec := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := dec.Token()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatalf("%v in %s", err, svg)
		}
		if e, ok := token.(xml.StartElement); ok {
			out[e.Name.Local]++
		}
	}
}

// BenchmarkLine draws two lines with bands of 240 samples.
func BenchmarkLine(b *testing.B) {
	one, two := Line{Name: "new", Style: New, Band: true}, Line{Name: "old", Style: Old, Band: true}
	for i := range 240 {
		v := 5 + math.Sin(float64(i)/9) + 8/float64(i+1)
		one.Points = append(one.Points, Point{after(float64(i)), v, v - 9/float64(i+1), v + 9/float64(i+1)})
		two.Points = append(two.Points, Point{after(float64(i)), v / 2, v/2 - 9/float64(i+1), v/2 + 9/float64(i+1)})
	}
	c := of(one, two)
	b.ReportAllocs()
	for b.Loop() {
		b.ReportMetric(float64(len(c.Inline("x"))), "bytes")
	}
}

func TestAnAxisGrowsForWhatIsShownAndNoFurtherThanItMay(t *testing.T) {
	faint := line(400, 400)
	faint.Faint = true
	if high := of(line(4, 4), faint).scale().high; high > 5 {
		t.Errorf("the axis goes up to %g for a faint line", high)
	}
	c := of(line(99, 99))
	c.Y.Most = 100
	if high := c.scale().high; high != 100 {
		t.Errorf("the axis goes up to %g, want 100", high)
	}
}

func TestALineIsDrawnUpToTheChartsEndAlone(t *testing.T) {
	c := of(line(1, 2, 3, 4))
	c.From, c.To = after(1), after(2)
	parts := c.stretches(c.Lines[0], c.scale(), 960)
	if len(parts) != 1 || len(parts[0].line) != 2 {
		t.Errorf("of four points, two within, %+v are drawn", parts)
	}
}

func TestStepsReachTheirLastPoint(t *testing.T) {
	if got := string(appendSteps(nil, []spot{{0, 10}, {5, 10}, {9, 10}})); got != "M0 10h9" {
		t.Errorf("a value that holds is drawn as %q", got)
	}
}

func TestAPeakBeyondTheAxisIsToldAlsoWhenItIsOver(t *testing.T) {
	c := of(line(1, 1e300, 2))
	c.Y = Axis{Log: true, Low: 0.1, High: 1000}
	if got := string(c.Inline("x")); !strings.Contains(got, "What is above 1,000 is drawn at the top edge.</desc>") {
		t.Errorf("the description does not tell: %s", got)
	}
}

func TestALinesLabelHasItsNewestValue(t *testing.T) {
	for want, l := range map[float64]Line{3: line(2, 3, math.NaN()), 0: line(2, 0)} {
		if got := l.newest(); got != want {
			t.Errorf("the newest value is %v, want %v", got, want)
		}
	}
}

func TestTextCannotEndAnAttribute(t *testing.T) {
	if got := string(appendText(nil, `a"b'c`)); got != "a&#34;b&#39;c" {
		t.Errorf("quotes are written as %s", got)
	}
}

func TestALineHasNoDotAtALevelOfAnotherStyle(t *testing.T) {
	c := of(line(1, 10, 100))
	c.Y = Axis{Log: true, Low: 0.1, High: 1000}
	c.Levels = []Level{{Value: 30, Style: Safe, Label: "safe"}}
	if got := string(c.Inline("x")); strings.Contains(got, "<circle") {
		t.Errorf("there is a dot: %s", got)
	}
}

func TestALineThatStaysAboveItsLevelHasOneDot(t *testing.T) {
	c := of(Line{Style: Safe, Points: line(1, 100, 200, 300).Points})
	c.Y = Axis{Log: true, Low: 0.1, High: 1000}
	c.Levels = []Level{{Value: 30, Style: Safe, Label: "safe"}}
	if n := strings.Count(string(c.Inline("x")), "<circle"); n != 1 {
		t.Errorf("%d dots for one time that the level is reached", n)
	}
}

func TestALevelBeyondTheAxisIsNotDrawnAtItsEdge(t *testing.T) {
	c := of(line(1, 2))
	c.Y = Axis{High: 10}
	c.Levels = []Level{{Value: 30, Style: Safe, Label: "safe at 30"}}
	if got := string(c.Inline("x")); strings.Contains(got, "safe at 30") {
		t.Errorf("it is drawn: %s", got)
	}
}
