package figures

import (
	"math"
	"testing"
	"time"
)

// cases are texts by what they should be, and what was written.
type cases []struct{ got, want string }

func (all cases) check(t *testing.T) {
	t.Helper()
	for _, c := range all {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestCountsHaveCommas(t *testing.T) {
	cases{
		{Count(0), "0"}, {Count(999), "999"}, {Count(1000), "1,000"}, {Count(12345), "12,345"}, {Count(1234567), "1,234,567"},
		{Plural(0, "request", "requests"), "0 requests"}, {Plural(1, "request", "requests"), "1 request"},
		{Plural(6699, "request", "requests"), "6,699 requests"},
	}.check(t)
}

func TestPercentagesHaveAsManyDigitsAsHelp(t *testing.T) {
	cases{
		{Percent(0), "0 %"}, {Percent(0.000001), "under 0.01 %"}, {Percent(0.0005), "0.05 %"}, {Percent(0.048), "4.8 %"},
		{Percent(0.0994), "9.9 %"}, {Percent(0.25), "25 %"}, {Percent(1), "100 %"}, {Percent(math.NaN()), "-"},
		{Percent(0.9951), "99.5 %"}, {Percent(0.99999), "over 99.9 %"},
		{Share(0, 0), "-"}, {Share(0, 10), "0 %"}, {Share(1, 3), "33 %"}, {Share(63, 1312), "4.8 %"},
	}.check(t)
}

func TestSpansReadAsPeopleSayThem(t *testing.T) {
	cases{
		{Elapsed(-time.Second), "0 s"}, {Elapsed(400 * time.Millisecond), "0.4 s"}, {Elapsed(19 * time.Second), "19 s"}, {Elapsed(10 * time.Second), "10 s"},
		{Elapsed(200 * time.Second), "3 min 20 s"}, {Elapsed(125 * time.Minute), "2 h 5 min"},
		{Left(0.2), "1 s"}, {Left(70), "70 s"}, {Left(300), "5 min"}, {Left(3 * 3600), "3 h"}, {Left(4 * 86400), "4 days"},
	}.check(t)
}

func TestAChosenTimeIsWrittenWithoutRounding(t *testing.T) {
	cases{
		{Exactly(0), "0 s"}, {Exactly(250 * time.Millisecond), "250 ms"}, {Exactly(1500 * time.Millisecond), "1.5 s"}, {Exactly(1500 * time.Microsecond), "1.5 ms"},
		{Exactly(time.Minute), "1 min"}, {Exactly(90 * time.Second), "1 min 30 s"}, {Exactly(time.Hour), "1 h"}, {Exactly(90 * time.Minute), "1 h 30 min"},
		{Exactly(time.Hour + time.Second), "1 h 0 min 1 s"}, {Exactly(48 * time.Hour), "48 h"}, {Exactly(10*time.Minute + 20*time.Second), "10 min 20 s"},
		{Exactly(-time.Minute), "-1 min"},
	}.check(t)
}

func TestEValues(t *testing.T) {
	cases{
		{E(0), "0"}, {E(0.01), "under 0.1"}, {E(2.44), "2.4"}, {E(12), "12"}, {E(341.2), "341"}, {E(13204), "13,204"},
		{E(2e6), "over a million"}, {E(math.NaN()), "?"},
	}.check(t)
}

func TestEveryFigureHasItsUnit(t *testing.T) {
	cases{
		{Millis(0), "0 ms"}, {Millis(0.44), "0.4 ms"}, {Millis(24.4), "24 ms"}, {Millis(999.4), "999 ms"}, {Millis(999.6), "1 s"},
		{Millis(1250), "1.25 s"}, {Millis(12_000), "12 s"}, {Millis(math.NaN()), "-"},
		{Rate(200, "request", "requests"), "200 requests/s"}, {Rate(1, "request", "requests"), "1 request/s"},
		{Rate(0.25, "request", "requests"), "0.25 requests/s"}, {Rate(0, "request", "requests"), "0 requests/s"},
		{Rate(0.0001, "request", "requests"), "under 0.01 requests/s"}, {Rate(1234.4, "request", "requests"), "1,234 requests/s"},
		{Bytes(0), "0 B"}, {Bytes(1023), "1023 B"}, {Bytes(1024), "1 KiB"}, {Bytes(3500), "3.4 KiB"}, {Bytes(120 << 20), "120 MiB"},
		{Bytes(1<<30 - 1), "1 GiB"}, {Bytes(5 << 40), "5 TiB"},
	}.check(t)
}
