package console

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html/template"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

// firstRelease is a rollout that has nothing to compare with.
func firstRelease() (client.Rollout, client.Course) {
	r, c := promoted()
	r.From, r.To, c.Marks = 0, 1, nil
	c.Samples = c.Samples[:20]
	for i := range c.Samples {
		s := &c.Samples[i]
		s.Stable, s.Share, s.Weight, s.Harm, s.Safety, s.Signals = client.ArmSample{}, nil, fairlead.Whole, 0, 0, nil
	}
	c.Needed = client.CourseNeeded{}
	return r, c
}

// drawn are the charts of a rollout that are not empty, by name, as HTML.
func drawn(t *testing.T, r client.Rollout, c client.Course) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, p := range charts(r, c) {
		html, err := p.render()
		if err != nil {
			t.Fatal(err)
		}
		if html != "" {
			out[strings.TrimPrefix(p.ID, "chart-")] = string(html)
		}
	}
	return out
}

func names(charts map[string]string) string {
	var out []string
	for _, name := range chartNames {
		if charts[name] != "" {
			out = append(out, name)
		}
	}
	return strings.Join(out, " ")
}

func TestARolloutHasTheChartsThatMakeSenseForIt(t *testing.T) {
	none := func() (client.Rollout, client.Course) {
		r, c := held()
		c.Samples, c.Marks = nil, nil
		return r, c
	}
	for _, c := range []struct {
		name string
		of   func() (client.Rollout, client.Course)
		want string
	}{
		{"compared", rolledBack, "evidence failures latency requests split"},
		{"streaming", promoted, "evidence failures latency first requests split"},
		{"the first", firstRelease, "failures latency first requests"},
		{"without traffic", none, "evidence failures latency requests split"},
	} {
		if got := names(drawn(t, first(c.of()), second(c.of()))); got != c.want {
			t.Errorf("a rollout %s has charts %q, want %q", c.name, got, c.want)
		}
	}
}

func first(r client.Rollout, _ client.Course) client.Rollout { return r }

func second(_ client.Rollout, c client.Course) client.Course { return c }

func TestAPartThatHasNoChartIsThereAndEmpty(t *testing.T) {
	parts := charts(firstRelease())
	if len(parts) != len(chartNames) {
		t.Fatalf("%d parts, want %d at all times", len(parts), len(chartNames))
	}
	html, err := parts[0].render()
	if err != nil || html != "" {
		t.Errorf("a chart without sense is %q, %v", html, err)
	}
}

func TestAChartSaysWhatItShowsInNumbers(t *testing.T) {
	r, c := rolledBack()
	now, whole := c.Samples[len(c.Samples)-1], c.Samples[len(c.Samples)-2]
	all := panels(r, c)
	for name, want := range map[string]string{
		"failures": fmt.Sprintf("triage@3 failed for %s of its units (", writePercent(100*now.Canary.Failures.Estimate)),
		"requests": fmt.Sprintf("%s on triage@3, %s on triage@2, over the newest 1.0 s.", rate(float64(whole.Canary.Requests)), rate(float64(whole.Stable.Requests))),
		"split":    "25 % is ordered on triage@3; 25 % (",
		"evidence": "Harmful: the evidence of harm reached ",
		"latency":  "p99 ",
	} {
		if got := all[name].chart.Says; !strings.HasPrefix(got, want) {
			t.Errorf("%s says %q, want %q", name, got, want)
		}
	}
	r, c = held()
	if got, want := panels(r, c)["evidence"].chart.Says, "of 20, about 70 s left."; !strings.HasSuffix(got, want) {
		t.Errorf("moving evidence says %q, want it to end with %q", got, want)
	}
	r, c = promoted()
	if got := panels(r, c)["evidence"].chart.Says; !strings.HasPrefix(got, "Every step was earned. The evidence of harm never went above 1.3 of 300.") {
		t.Errorf("a promoted release's evidence says %q", got)
	}
}

func TestAChartSaysThatThereIsNoTrafficYet(t *testing.T) {
	r, c := held()
	c.Samples = nil
	for name, html := range drawn(t, r, c) {
		if !strings.Contains(html, "No traffic") || strings.Contains(html, "NaN") {
			t.Errorf("%s without samples is %s", name, html)
		}
	}
	r.Outcome = client.Failed
	if got := drawn(t, r, c)["failures"]; !strings.Contains(got, "The new release took no traffic") {
		t.Errorf("the chart of a rollout that ended without traffic is %s", got)
	}
}

func TestTheTableHoldsTheNewestSamples(t *testing.T) {
	r, c := promoted()
	html := drawn(t, r, c)["failures"]
	if n := strings.Count(html, `<th scope="row">`); n != tableRows {
		t.Errorf("the table has %d rows, want %d", n, tableRows)
	}
	now := c.Samples[len(c.Samples)-1]
	if want := `<th scope="row">` + now.At.Format("15:04:05") + `</th><td>` + writePercent(100*now.Canary.Failures.Estimate); !strings.Contains(html, want) {
		t.Errorf("the newest row is not %q", want)
	}
}

func TestNothingForeignIsMarkup(t *testing.T) {
	r, c := held()
	evil := `"><script>alert(1)</script>`
	r.App = evil
	for i := range c.Marks {
		c.Marks[i].Text = evil
	}
	for i := range c.Samples {
		c.Samples[i].Signals[evil] = client.SignalSample{Harm: 1, Safety: 1}
	}
	for name, html := range drawn(t, r, c) {
		if strings.Contains(html, "<script") {
			t.Errorf("%s has a script", name)
		}
	}
	for name, p := range panels(r, c) {
		if dec := xml.NewDecoder(bytes.NewReader(p.picture())); !wellFormed(dec) || bytes.Contains(p.picture(), []byte("<script")) {
			t.Errorf("the picture of %s is not well formed, or has a script", name)
		}
		if got := plainName(p.fileName("svg")); !regexp.MustCompile(`^[A-Za-z0-9-]+\.svg$`).MatchString(got) {
			t.Errorf("the picture of %s is called %q", name, got)
		}
	}
}

func wellFormed(dec *xml.Decoder) bool {
	for {
		if _, err := dec.Token(); err != nil {
			return err == io.EOF
		}
	}
}

func TestADownloadedPictureNeedsNothingElse(t *testing.T) {
	r, c := promoted()
	for name, p := range panels(r, c) {
		picture := string(p.picture())
		for _, used := range regexp.MustCompile(`var\((--[a-z-]+)\)`).FindAllStringSubmatch(picture, -1) {
			if !strings.Contains(picture, used[1]+":") {
				t.Errorf("the picture of %s uses %s and does not define it", name, used[1])
			}
		}
		if strings.Contains(picture, "href") || strings.Contains(picture, "url(") {
			t.Errorf("the picture of %s refers to something", name)
		}
	}
}

func TestTheDownloadedNumbersAreTheCourses(t *testing.T) {
	r, c := rolledBack()
	rows := readCSV(t, panels(r, c)["failures"].table())
	if want := "time (UTC)|new (% of units)|new low (% of units)|new high (% of units)|old (% of units)|old low (% of units)|old high (% of units)|" +
		"new, of requests (% of the sample's requests)|old, of requests (% of the sample's requests)|decisions"; strings.Join(rows[0], "|") != want {
		t.Errorf("the header is %q", rows[0])
	}
	if len(rows) != len(c.Samples)+1 {
		t.Fatalf("%d rows for %d samples", len(rows)-1, len(c.Samples))
	}
	for i, s := range c.Samples {
		at, err := time.Parse(time.RFC3339, rows[i+1][0])
		if err != nil || !at.Equal(s.At) {
			t.Errorf("row %d is of %q, want %s", i, rows[i+1][0], s.At)
		}
		if v, err := strconv.ParseFloat(rows[i+1][1], 64); err != nil || math.Abs(v-100*s.Canary.Failures.Estimate) > 1e-7 {
			t.Errorf("row %d says %q, want %g", i, rows[i+1][1], 100*s.Canary.Failures.Estimate)
		}
	}
	if got := rows[len(rows)-1]; !strings.Contains(got[len(got)-1], "triage@3 is worse") {
		t.Errorf("the last row does not tell the decision: %q", got)
	}
}

func readCSV(t *testing.T, data []byte) [][]string {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, []byte("\r\n")) {
		t.Error("lines do not end as RFC 4180 has it")
	}
	return rows
}

func TestASpreadsheetRunsNothingOfADownload(t *testing.T) {
	r, c := held()
	for _, evil := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"} {
		c.Marks = []client.CourseMark{mark(2.5, "noted", evil)}
		for i := range c.Samples {
			c.Samples[i].Signals = map[string]client.SignalSample{evil: {Harm: 1, Safety: 1}}
		}
		for _, row := range readCSV(t, panels(r, c)["evidence"].table()) {
			for _, field := range row {
				if field != "" && strings.ContainsRune("=+-@\t\r", rune(field[0])) {
					t.Errorf("field %q of %q would be run", field, evil)
				}
			}
		}
	}
}

// TestEvidenceBeyondAllNumbersIsTold has evidence as no axis can show.
func TestEvidenceBeyondAllNumbersIsTold(t *testing.T) {
	r, c := rolledBack()
	c.Samples[len(c.Samples)-1].Harm = 1e300
	html := drawn(t, r, c)["evidence"]
	if !strings.Contains(html, "↑") || !strings.Contains(html, "is drawn at the top edge") {
		t.Error("evidence beyond the axis is not told")
	}
}

func TestATimeToTheFirstByteThatIsNoDifferentIsALine(t *testing.T) {
	r, c := rolledBack()
	for i := range c.Samples {
		for _, arm := range []*client.ArmSample{&c.Samples[i].Stable, &c.Samples[i].Canary} {
			arm.First = arm.Latency
		}
	}
	all := drawn(t, r, c)
	if all["first"] != "" || !strings.Contains(all["latency"], "The first byte comes with the rest") {
		t.Error("a time to the first byte that is the latency has a chart of its own, or is not told")
	}
}

// TestChartsHaveTheirSize keeps a page's drawings and their numbers small.
func TestChartsHaveTheirSize(t *testing.T) {
	r, c := promoted()
	drawings, html := 0, 0
	for _, p := range charts(r, c) {
		s := p.Data.(shown)
		drawings += len(s.Drawing)
		if len(s.Drawing) > 6<<10 {
			t.Errorf("%s takes %d bytes", p.ID, len(s.Drawing))
		}
		out, err := p.render()
		if err != nil {
			t.Fatal(err)
		}
		html += len(out)
	}
	if drawings > 35<<10 || html > 48<<10 {
		t.Errorf("drawings take %d bytes, with their numbers %d", drawings, html)
	}
}

// chartServer serves the console for somebody who is logged in, on an API that knows one
// rollout.
func chartServer(t *testing.T, r client.Rollout, c client.Course) *httptest.Server {
	t.Helper()
	api := http.NewServeMux()
	answer := func(v any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(v) }
	}
	api.HandleFunc("GET /v1/rollouts/"+r.ID, answer(r))
	api.HandleFunc("GET /v1/rollouts/"+r.ID+"/course", answer(c))
	control := httptest.NewServer(api)
	t.Cleanup(control.Close)
	s := &console{Config: Config{API: func(fairlead.Principal) *client.Client { return client.Remote(control.URL, "") }}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /rollouts/{id}/charts/{file}", func(w http.ResponseWriter, r *http.Request) { s.chartFile(w, r, Session{}) })
	web := httptest.NewServer(mux)
	t.Cleanup(web.Close)
	return web
}

func TestEachChartDownloads(t *testing.T) {
	r, c := promoted()
	web := chartServer(t, r, c)
	for _, name := range chartNames {
		for kind, typed := range map[string]string{"svg": "image/svg+xml", "csv": "text/csv"} {
			resp, err := http.Get(web.URL + "/rollouts/" + r.ID + "/charts/" + name + "." + kind)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), typed) || len(body) == 0 {
				t.Errorf("%s.%s: %s %s, %d bytes", name, kind, resp.Status, resp.Header.Get("Content-Type"), len(body))
			}
			if want := fmt.Sprintf(`attachment; filename="triage-4-%s.%s"`, name, kind); resp.Header.Get("Content-Disposition") != want {
				t.Errorf("%s.%s: %s, want %s", name, kind, resp.Header.Get("Content-Disposition"), want)
			}
		}
	}
}

func TestAPageShowsAPictureByItsPath(t *testing.T) {
	r, c := promoted()
	html := drawn(t, r, c)["failures"]
	for _, want := range []string{`href="/rollouts/r2/charts/failures.svg"`, `href="/rollouts/r2/charts/failures.csv"`} {
		if !strings.Contains(html, want) {
			t.Errorf("the page has no %s", want)
		}
	}
}

func TestJoinedSamplesKeepTheirCounts(t *testing.T) {
	_, c := promoted()
	var whole, joined uint64
	for _, s := range c.Samples {
		whole += s.Canary.Requests
	}
	few := coarse(c.Samples, mostPoints)
	for i, s := range few {
		joined += s.Canary.Requests
		if i > 0 && !s.From.Equal(few[i-1].At) {
			t.Errorf("joined sample %d begins at %s, after %s", i, s.From, few[i-1].At)
		}
	}
	if joined != whole || len(few) > mostPoints+3 {
		t.Errorf("%d samples with %d requests, want %d requests", len(few), joined, whole)
	}
	if !slices.ContainsFunc(few, func(s client.Sample) bool { return s.Weight == 2500 }) {
		t.Error("a weight is lost")
	}
}

// BenchmarkCharts draws all charts of a rollout of 240 samples, as a page does.
func BenchmarkCharts(b *testing.B) {
	r, c := promoted()
	size := 0
	for b.Loop() {
		size = 0
		for _, p := range charts(r, c) {
			size += len(p.Data.(shown).Drawing)
		}
	}
	b.ReportMetric(float64(size), "bytes")
}

// BenchmarkChartParts renders them with their numbers.
func BenchmarkChartParts(b *testing.B) {
	r, c := promoted()
	size := 0
	for b.Loop() {
		size = 0
		for _, p := range charts(r, c) {
			var html template.HTML
			html, _ = p.render()
			size += len(html)
		}
	}
	b.ReportMetric(float64(size), "bytes")
}

func TestCopiesOfRequestsAreEvidenceWithoutTraffic(t *testing.T) {
	r := aRollout(nil)
	r.Canary = client.Arm{}
	c := client.Course{Samples: []client.Sample{{From: courseStart, At: courseStart.Add(time.Second), Harm: 3, Safety: 1, Stable: client.ArmSample{Requests: 9}}}}
	if _, drawn := panels(r, c)["evidence"]; drawn {
		t.Error("without traffic and copies there is a chart of evidence")
	}
	r.Policy.Mirror = &fairlead.Mirror{Share: 50}
	shown := panels(r, c)
	if _, drawn := shown["evidence"]; !drawn {
		t.Error("the evidence of copies is not drawn")
	}
	if label := (course{r, c}).weightAfter(courseStart); label != "copies" {
		t.Errorf("the step of copies is marked %q", label)
	}
	if says := shown["failures"].chart.Says; says != "No traffic on the new release yet." {
		t.Errorf("the chart of failures says %q", says)
	}
}
