package console

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/console/chart"
	"github.com/fairlead/fairlead/internal/figures"
)

// chartNames are the charts of a rollout, in the order in which they stand.
var chartNames = []string{"evidence", "failures", "latency", "first", "requests", "split"}

// charts returns the charts of a rollout as parts, whose ids begin with "chart-". The
// part of a chart that makes no sense for the rollout is empty.
func charts(r client.Rollout, c client.Course) []part {
	all := panels(r, c)
	parts := make([]part, 0, len(chartNames))
	for _, name := range chartNames {
		p := part{ID: "chart-" + name, Template: "charts"}
		if drawn, ok := all[name]; ok {
			p.Data = drawn.show()
		}
		parts = append(parts, p)
	}
	return parts
}

// panel is one chart of a rollout with the figures that it shows.
type panel struct {
	name    string
	chart   chart.Chart
	figures []series
	note    string // what its lines and bands mean
	about   course
}

// course is a rollout with its course.
type course struct {
	client.Rollout
	client.Course
}

// panels returns the charts that make sense for a rollout, by name.
func panels(r client.Rollout, c client.Course) map[string]panel {
	about := course{r, c}
	out := map[string]panel{"requests": about.requests()}
	if len(c.Samples) > 0 || about.compared() {
		out["failures"], out["latency"] = about.failures(), about.latency()
	}
	if about.streams() {
		out["first"] = about.first()
	}
	if about.compared() || about.mirrored() {
		out["evidence"] = about.evidence()
	}
	if about.compared() {
		out["split"] = about.split()
	}
	return out
}

// mirrored reports whether copies of requests were judged: evidence that needs no traffic.
func (c course) mirrored() bool {
	return c.Policy.Mirror != nil && slices.ContainsFunc(c.Samples, func(s client.Sample) bool { return s.Harm != 0 })
}

// compared reports whether both releases have traffic, or will have.
func (c course) compared() bool {
	if c.From == 0 {
		return false
	}
	for _, s := range c.Samples {
		if s.Stable.Requests > 0 && s.Canary.Requests > 0 {
			return true
		}
	}
	for _, w := range c.Weights {
		if w < fairlead.Whole && len(c.Samples) == 0 {
			return true
		}
	}
	return false
}

// plain returns a chart of the course without lines.
func (c course) plain(title string) chart.Chart {
	out := chart.Chart{Title: title, Empty: "No traffic on the new release yet"}
	if c.Outcome != "" {
		out.Empty = "The new release took no traffic"
	}
	out.From, out.To = c.began(), c.newest().At
	out.Marks = c.marks(&out)
	for i, m := range out.Marks { // what ended it is told everywhere, the rest where all is told
		if m.Rank < ending {
			out.Marks[i].Label, out.Marks[i].Text, out.Marks[i].Minor = "", "", true
		}
	}
	return out
}

// ending is the rank from which on a mark ends a rollout's way.
const ending = 8

// whole returns a chart of the course without lines, with the labels of all decisions.
func (c course) whole(title string) chart.Chart {
	out := c.plain(title)
	out.Marks = c.marks(&out)
	return out
}

// marks are the decisions that changed something. The chart grows for one that came after
// the newest sample.
func (c course) marks(ch *chart.Chart) []chart.Mark {
	var out []chart.Mark
	for _, m := range c.Marks {
		look, ok := markLooks[strings.TrimPrefix(m.Kind, "rollout.")]
		if !ok || len(c.Samples) == 0 || m.At.Before(c.Samples[0].From) {
			continue
		}
		look.At, look.Text = m.At, m.Text
		if look.Label == "" {
			look.Label = c.weightAfter(m.At)
		}
		if m.At.After(ch.To) {
			ch.To = m.At
		}
		out = append(out, look)
	}
	return out
}

// markLooks say how a decision is shown, by the kind of its entry. One without a label is
// labelled with the weight that it gave.
var markLooks = map[string]chart.Mark{
	"stepped":    {Style: chart.Plain, Rank: 4},
	"advanced":   {Style: chart.Safe, Rank: 2, Label: "safe"},
	"grown":      {Style: chart.Plain, Rank: 3, Label: "grown"},
	"widened":    {Style: chart.Plain, Rank: 3, Label: "widened"},
	"held":       {Style: chart.Plain, Rank: 5, Label: "held"},
	"paused":     {Style: chart.Plain, Rank: 5, Label: "paused"},
	"resumed":    {Style: chart.Plain, Rank: 3, Label: "resumed"},
	"alerted":    {Style: chart.Harm, Rank: 7, Label: "alert"},
	"promoted":   {Style: chart.Safe, Rank: 8, Label: "promoted"},
	"rolledBack": {Style: chart.Harm, Rank: 9, Label: "rolled back"},
	"aborted":    {Style: chart.Harm, Rank: 9, Label: "aborted"},
	"failed":     {Style: chart.Harm, Rank: 9, Label: "failed"},
}

// weightAfter is the weight that was ordered when something was decided.
func (c course) weightAfter(at time.Time) string {
	for _, s := range c.Samples {
		switch {
		case !s.At.After(at):
		case c.Policy.Mirror != nil:
			return step{Weight: s.Weight}.Label()
		default:
			return s.Weight.String()
		}
	}
	return ""
}

// newest returns the newest sample.
func (c course) newest() client.Sample {
	if len(c.Samples) == 0 {
		return client.Sample{}
	}
	return c.Samples[len(c.Samples)-1]
}

func (c course) newName() string { return releaseName(c.App, c.To) }

func (c course) oldName() string { return releaseName(c.App, c.From) }

// bands says what the bands promise.
func (c course) bands() string {
	if c.Error <= 0 || c.Error >= 1 {
		return "Each band holds at all times at once."
	}
	return fmt.Sprintf("Each band holds at all times at once, with %s.", figures.Percent(1-c.Error))
}

// shown is a panel as its template has it.
type shown struct {
	ID, Title, Says, Note string
	Drawing               template.HTML
	Columns               []string
	Rows                  []row
	Picture, Table        string // paths of the downloads
	From, To              int64  // of the x axis, in milliseconds
}

// row is a line of the table of numbers.
type row struct {
	At    string
	Cells []string
}

// tableRows is how many of the newest samples the table holds; the download has all.
const tableRows = 4

func (p panel) show() shown {
	id := "chart-" + p.name
	s := shown{ID: id, Title: p.chart.Title, Says: p.chart.Says, Note: p.note}
	s.Drawing = template.HTML(p.chart.Inline(id)) // the chart escapes all text that it is given
	path := rolloutPath(p.about.Rollout.ID) + "/charts/" + p.name
	s.From, s.To = p.chart.From.UnixMilli(), p.chart.To.UnixMilli()
	s.Picture, s.Table = path+".svg", path+".csv"
	samples := p.about.Samples[max(0, len(p.about.Samples)-tableRows):]
	columns := p.telling()
	for _, f := range columns {
		s.Columns = append(s.Columns, f.name)
	}
	for i := len(samples) - 1; i >= 0; i-- {
		r := row{At: samples[i].At.UTC().Format("15:04:05")}
		for _, f := range columns {
			r.Cells = append(r.Cells, f.cell(samples[i]))
		}
		s.Rows = append(s.Rows, r)
	}
	return s
}

// telling are the figures that the table holds: the first two, which all charts are about,
// and of the others those with a unit. What each signal says alone, and the quantile that
// is not drawn, is in the download.
func (p panel) telling() []series {
	var out []series
	for i, f := range p.figures {
		if (i < 2 || f.unit != "") && !strings.HasSuffix(f.name, " p90") {
			out = append(out, f)
		}
	}
	return out
}
