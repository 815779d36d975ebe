package chart

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/figures"
)

// scale turns values into heights, which count in half pixels from the top: whole
// numbers of them are exact enough for an eye and short to write.
type scale struct {
	low, high float64
	log       bool
	height    int // half pixels
}

// biggest is the greatest top of an axis, and the least is one by it: sums would overflow.
const biggest = 1e300

func (c Chart) scale() scale {
	s := scale{log: c.Y.Log, height: 2 * c.height()}
	least, most := c.reach()
	s.high = c.Y.High
	if s.high <= 0 {
		s.high = max(1.06*most, c.Y.Least)
	}
	if c.Y.Most > 0 {
		s.high = min(s.high, c.Y.Most)
	}
	if !(s.high > 0) {
		s.high = 1
	}
	s.high = min(max(s.high, 1/biggest), biggest)
	if s.log {
		s.low = c.Y.Low
		if s.low <= 0 {
			s.low = least / 1.3
		}
		if !(s.low > 0) || s.low >= s.high {
			s.low = s.high / 10
		}
	}
	return s
}

// bandReach is by how much bands alone may stretch an axis beyond the values.
const bandReach = 4

// reach returns the least positive and the greatest value that the axis should show: of
// all lines that are not faint, and of the bands of the newest third, which may reach
// bandReach times as far. The first bands of a course are as wide as everything, and
// would hide the rest.
func (c Chart) reach() (least, most float64) {
	values, bands := noExtremes(), noExtremes()
	for _, l := range c.Lines {
		if l.Faint {
			continue
		}
		for i, p := range l.Points {
			values.grow(p.Value)
			if l.Band && 3*i >= 2*len(l.Points) && !math.IsNaN(p.Value) {
				bands.grow(p.Low)
				bands.grow(p.High)
			}
		}
	}
	if values.most == 0 {
		return bands.least, bands.most
	}
	least = min(values.least, max(bands.least, values.least/bandReach))
	return least, max(values.most, min(bands.most, values.most*bandReach))
}

// extremes are the least and the greatest positive number of those that it has seen.
type extremes struct{ least, most float64 }

func noExtremes() extremes { return extremes{least: math.Inf(1)} }

func (e *extremes) grow(v float64) {
	if v > 0 && v <= biggest {
		e.least, e.most = min(e.least, v), max(e.most, v)
	}
}

// y returns the height of a value and whether it is beyond the top. A value below the
// bottom is at the bottom.
func (s scale) y(v float64) (y int, beyond bool) {
	switch {
	case v > s.high: // also where a division would overflow
		return 0, true
	case !(v > s.low): // also what is not a number
		return s.height, false
	}
	part := v / s.high
	if s.log {
		part = (math.Log(v) - math.Log(s.low)) / (math.Log(s.high) - math.Log(s.low))
	}
	return s.height - int(math.Round(min(1, max(0, part))*float64(s.height))), false
}

// tick is a labelled place on an axis.
type tick struct {
	value float64
	label string
}

// ticks returns four or so round values between the ends of the axis.
func (s scale) ticks(unit string) []tick {
	values := s.linearTicks()
	if s.log {
		values = s.logTicks()
	}
	out := make([]tick, 0, len(values))
	for _, v := range values {
		out = append(out, tick{v, withUnit(number(v), unit)})
	}
	return out
}

func withUnit(n, unit string) string {
	switch {
	case unit == "":
		return n
	case strings.HasPrefix(unit, "/"):
		return n + unit
	}
	return n + "\u00a0" + unit
}

func (s scale) linearTicks() []float64 {
	step := nice(s.high / 4)
	var values []float64
	for i := 0; i <= 8; i++ {
		if v := float64(i) * step; v <= s.high*1.000001 {
			values = append(values, v)
		}
	}
	return values
}

// nice returns the least of 1, 2 and 5 times a power of ten that is not below v.
func nice(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= v*0.999999 {
			return m * power
		}
	}
	return 10 * power
}

// logTicks returns powers of ten, or 1, 2 and 5 times them where there are few.
func (s scale) logTicks() []float64 {
	first, last := math.Ceil(math.Log10(s.low)-1e-9), math.Floor(math.Log10(s.high)+1e-9)
	every := math.Ceil((last - first + 1) / 6)
	var values []float64
	for e := first; e <= last && len(values) < 8; e += max(1, every) {
		values = append(values, math.Pow(10, e))
	}
	if len(values) > 2 {
		return values
	}
	values = values[:0]
	for e := first - 1; e <= last; e++ {
		for _, m := range []float64{1, 2, 5} {
			if v := m * math.Pow(10, e); v >= s.low*0.999999 && v <= s.high*1.000001 {
				values = append(values, v)
			}
		}
	}
	return values
}

// number writes a value of an axis: up to three significant digits, with commas from a
// thousand on, and powers of ten from ten millions on.
func number(v float64) string {
	switch a := math.Abs(v); {
	case a != 0 && (a >= 1e7 || a < 1e-4):
		return strings.NewReplacer("e+0", "e", "e+", "e", "e-0", "e-").Replace(strconv.FormatFloat(v, 'g', 3, 64))
	case a >= 100:
		whole := figures.Count(uint64(math.Round(a)))
		if v < 0 {
			return "-" + whole
		}
		return whole
	}
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64) // its own writing can be read
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

// spans are the steps of a time axis, and the unit in which each is written.
var spans = []struct {
	step, unit time.Duration
	name       string
}{
	{time.Second, time.Second, "s"}, {2 * time.Second, time.Second, "s"}, {5 * time.Second, time.Second, "s"},
	{10 * time.Second, time.Second, "s"}, {20 * time.Second, time.Second, "s"}, {30 * time.Second, time.Second, "s"},
	{time.Minute, time.Minute, "min"}, {2 * time.Minute, time.Minute, "min"}, {5 * time.Minute, time.Minute, "min"},
	{10 * time.Minute, time.Minute, "min"}, {20 * time.Minute, time.Minute, "min"}, {30 * time.Minute, time.Minute, "min"},
	{time.Hour, time.Hour, "h"}, {2 * time.Hour, time.Hour, "h"}, {6 * time.Hour, time.Hour, "h"}, {12 * time.Hour, time.Hour, "h"},
	{24 * time.Hour, 24 * time.Hour, "d"}, {48 * time.Hour, 24 * time.Hour, "d"}, {7 * 24 * time.Hour, 24 * time.Hour, "d"},
	{30 * 24 * time.Hour, 24 * time.Hour, "d"}, {365 * 24 * time.Hour, 24 * time.Hour, "d"},
}

// timeTicks returns up to seven round times since From.
func (c Chart) timeTicks() []tick {
	whole := max(time.Second, c.To.Sub(c.From))
	span := spans[len(spans)-1]
	for _, s := range spans {
		if whole <= 6*s.step {
			span = s
			break
		}
	}
	var out []tick
	for t := time.Duration(0); t <= whole && len(out) < 8; t += span.step {
		label := "0"
		if t > 0 {
			label = strconv.Itoa(int(t/span.unit)) + "\u00a0" + span.name
		}
		out = append(out, tick{float64(t) / float64(whole), label})
	}
	return out
}
