package gateway_test

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/disk/crashdisk"
)

// metrics reads an exposition as strictly as a scraper does: each sample has HELP
// and TYPE before it, and comes once.
func metrics(t *testing.T, text []byte) map[string]float64 {
	t.Helper()
	values, typed, helped := map[string]float64{}, map[string]string{}, map[string]bool{}
	line := regexp.MustCompile(`^([a-z_]+)(\{[a-z]+="(?:[^"\\]|\\.)*"(?:,[a-z]+="(?:[^"\\]|\\.)*")*\})? (\S+)$`)
	for _, l := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		if words := strings.SplitN(l, " ", 4); words[0] == "#" && len(words) == 4 {
			switch words[1] {
			case "HELP":
				helped[words[2]] = true
			case "TYPE":
				typed[words[2]] = words[3]
			}
			continue
		}
		m := line.FindStringSubmatch(l)
		if m == nil || !helped[m[1]] || typed[m[1]] == "" {
			t.Fatalf("not a sample, or without HELP and TYPE: %q", l)
		}
		if strings.HasSuffix(m[1], "_total") != (typed[m[1]] == "counter") {
			t.Errorf("%s is a %s", m[1], typed[m[1]])
		}
		if _, twice := values[m[1]+m[2]]; twice {
			t.Errorf("%s%s comes twice", m[1], m[2])
		}
		v, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			t.Fatal(err)
		}
		values[m[1]+m[2]] = v
	}
	return values
}

func TestTheMetricsTellOfALeaseThatRanOut(t *testing.T) {
	c := open(t, crashdisk.New(), "boot", dawn)
	if err := c.Apply(dawn, halves(7)); err != nil {
		t.Fatal(err)
	}
	const of = `{app="triage",env="production"}`
	want := func(when string, values map[string]float64) {
		t.Helper()
		got := metrics(t, c.Metrics())
		for name, v := range values {
			if g, ok := got["fairlead_gateway_"+name]; !ok || g != v {
				t.Errorf("%s: %s is %v, want %v", when, name, g, v)
			}
		}
	}
	x := c.Admit(site, "u", dawn)
	want("attended", map[string]float64{
		"lease_expired" + of: 0, "canary_weight" + of: 0.5, "lease_expiries_total": 0, "lease_renewed_timestamp_seconds": float64(dawn.Unix()),
		"snapshot_term": 1, "snapshot_sequence": 7, "requests_total": 1, "in_flight": 1, "refused_total": 0, "start_time_seconds": float64(dawn.Unix()),
	})
	x.End(dawn)
	later := dawn.Add(11 * time.Second)
	c.Expire(later)
	c.WriteBlocks(later, false)
	want("alone", map[string]float64{
		"lease_expired" + of: 1, "canary_weight" + of: 0, "lease_expiries_total": 1, "in_flight": 0, "spool_blocks": 1, "journal_failures_total": 0,
	})
	if got := metrics(t, c.Metrics()); got["fairlead_gateway_journal_bytes"] == 0 || got["fairlead_gateway_spool_bytes"] == 0 {
		t.Errorf("nothing on disk: %v", got)
	}
}

func TestTheMetricsAreOnTheControlSocketAndAnyNameIsQuoted(t *testing.T) {
	g := start(t, t.TempDir())
	r := route(backend(1, app(t, "a", says("here"))))
	r.Site = fairlead.Site{App: "we\"ird\\\n", Env: "p"}
	r.Split = split(5000, 1, backend(2))
	g.apply(r)
	g.get("/")
	text, err := g.client.Metrics(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	got := metrics(t, text)
	if got["fairlead_gateway_requests_total"] != 1 || got[`fairlead_gateway_canary_weight{app="we\"ird\\\n",env="p"}`] != 0.5 {
		t.Errorf("%s", text)
	}
}
