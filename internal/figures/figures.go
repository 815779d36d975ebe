// Package figures writes figures as Fairlead shows them to people, on a terminal and on a
// page alike: commas between thousands, a space before the unit, and as many digits as
// help. All functions are pure.
package figures

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Count writes a whole number with commas between thousands: "12,345".
func Count(n uint64) string {
	digits := fmt.Sprint(n)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// Plural writes a count with its noun: "1 request", "12,345 requests".
func Plural(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Count(n) + " " + many
}

// Share writes a part of a whole as a percentage, or "-" when there is nothing to
// divide by.
func Share(part, whole uint64) string {
	if whole == 0 {
		return "-"
	}
	return Percent(float64(part) / float64(whole))
}

// Percent writes a share, 0 to 1, as a percentage with a useful number of digits:
// "0 %", "0.05 %", "4.8 %", "25 %". A share that is small and not nothing is never "0 %",
// and one that is not the whole is never "100 %".
func Percent(share float64) string {
	switch p := 100 * share; {
	case math.IsNaN(p):
		return "-"
	case p <= 0:
		return "0 %"
	case p < 0.005:
		return "under 0.01 %"
	case p < 0.095:
		return fmt.Sprintf("%.2f %%", p)
	case p < 9.95:
		return fmt.Sprintf("%.1f %%", p)
	case p >= 99.5 && p < 99.95:
		return fmt.Sprintf("%.1f %%", p)
	case p >= 99.95 && p < 100:
		return "over 99.9 %"
	default:
		return fmt.Sprintf("%.0f %%", p)
	}
}

// Elapsed writes a duration as people say it: "0.4 s", "12 s", "3 min 20 s", "2 h 5 min".
func Elapsed(d time.Duration) string {
	switch {
	case d < 0:
		return "0 s"
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

// Exactly writes a duration that somebody chose, with nothing rounded: "250 ms", "1 min",
// "1 h 30 min", "1.5 s".
func Exactly(d time.Duration) string {
	text := d.String()
	for _, none := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, none) {
			text = text[:len(text)-2]
		}
	}
	digits := strings.LastIndexAny(text, "0123456789")
	last := " " + text[digits+1:]
	if last == " m" {
		last = " min"
	}
	return strings.NewReplacer("h", " h ", "m", " min ").Replace(text[:digits+1]) + last
}

// Left writes an expected time, in seconds, as roughly as it is known: "12 s", "5 min",
// "3 h", "4 days".
func Left(seconds float64) string {
	switch minutes := seconds / 60; {
	case math.IsNaN(seconds):
		return "-"
	case seconds < 120:
		return fmt.Sprintf("%.0f s", max(1, seconds))
	case minutes < 120:
		return fmt.Sprintf("%.0f min", minutes)
	case minutes < 48*60:
		return fmt.Sprintf("%.0f h", minutes/60)
	default:
		return fmt.Sprintf("%.0f days", minutes/60/24)
	}
}

// E writes an e-value: "0", "under 0.1", "2.4", "12", "over a million".
func E(e float64) string {
	switch {
	case math.IsNaN(e):
		return "?"
	case e <= 0:
		return "0"
	case e < 0.05:
		return "under 0.1"
	case e < 9.95 && e != math.Trunc(e):
		return fmt.Sprintf("%.1f", e)
	case e < 1e6:
		return Count(uint64(math.Round(e)))
	}
	return "over a million"
}

// Millis writes milliseconds: "0.4 ms", "24 ms", "1.25 s".
func Millis(ms float64) string {
	switch {
	case math.IsNaN(ms) || ms < 0:
		return "-"
	case ms < 9.95:
		return digits(ms, 1) + " ms"
	case ms < 999.5:
		return fmt.Sprintf("%.0f ms", ms)
	case ms < 9_995:
		return digits(ms/1000, 2) + " s"
	}
	return fmt.Sprintf("%.0f s", ms/1000)
}

// Rate writes how often something happens in a second: "200 requests/s", "1 request/s",
// "0.25 requests/s".
func Rate(perSecond float64, one, many string) string {
	text := "-"
	switch {
	case math.IsNaN(perSecond) || perSecond < 0:
	case perSecond == 0:
		text = "0"
	case perSecond < 0.005:
		text = "under 0.01"
	case perSecond < 0.995:
		text = digits(perSecond, 2)
	case perSecond < 9.95:
		text = digits(perSecond, 1)
	default:
		text = Count(uint64(math.Round(perSecond)))
	}
	if text == "1" {
		return "1 " + one + "/s"
	}
	return text + " " + many + "/s"
}

// Bytes writes a size by powers of 1024: "12 B", "3.4 KiB", "120 MiB".
func Bytes(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", max(0, n))
	}
	size, units := float64(n)/1024, []string{"KiB", "MiB", "GiB", "TiB"}
	for size >= 1023.5 && len(units) > 1 {
		size, units = size/1024, units[1:]
	}
	if size < 9.95 {
		return digits(size, 1) + " " + units[0]
	}
	return fmt.Sprintf("%.0f %s", size, units[0])
}

// digits writes v with at most n digits after the point, and no zeros at the end.
func digits(v float64, n int) string {
	text := fmt.Sprintf("%.*f", n, v)
	if !strings.Contains(text, ".") {
		return text
	}
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}
