package progress

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/internal/figures"
	"github.com/fairlead/fairlead/workload"
)

const label = 11 // columns of the names at the left of a frame

// Frame draws a site and its newest rollout as lines of at most style.Width columns.
func Frame(site client.Site, now time.Time, style Style) []string {
	if site.Rollout == nil {
		return append([]string{siteTitle(site, style)}, instances(site, style)...)
	}
	r := *site.Rollout
	lines := []string{rolloutTitle(r, now, style), ""}
	if r.Outcome == "" || r.Phase == "watching" {
		lines = append(lines, traffic(r, style), step(r, now, style))
	}
	if r.Outcome == "" {
		lines = append(lines, evidence(r, style)...)
	}
	lines = append(lines, arms(r, style)...)
	lines = append(lines, guards(r, style)...)
	lines = append(lines, instances(site, style)...)
	return append(lines, ending(r, style)...)
}

func siteTitle(site client.Site, style Style) string {
	row := style.Row().Add(Strong, site.App).Add(Plain, " in "+site.Env)
	return row.Add(Quiet, "   "+releaseName(site.App, site.Stable)+" takes the traffic, no rollout").String()
}

func rolloutTitle(r client.Rollout, now time.Time, style Style) string {
	row := style.Row().Add(Strong, fmt.Sprintf("%s@%d", r.App, r.To)).Add(Plain, " into "+r.Env)
	if r.From != 0 {
		row.Add(Quiet, fmt.Sprintf(", in place of %s@%d", r.App, r.From))
	}
	until := now
	if !r.Decided.IsZero() {
		until = r.Decided
	}
	return row.Right(Quiet, Elapsed(until.Sub(r.Started))).String()
}

func waitingRequests(n int) string {
	if n == 1 {
		return "1 request waits"
	}
	return Count(uint64(max(0, n))) + " requests wait"
}

func traffic(r client.Rollout, style Style) string {
	row := style.Row().Add(Quiet, "traffic").To(label)
	if r.Queued {
		return row.Add(New, "queued").Add(Quiet, ": nobody serves, "+waitingRequests(r.Waiting)).String()
	}
	full, rest := style.SplitBar(float64(r.Weight)/float64(fairlead.Whole), barColumns(style))
	row.Add(New, full).Add(Quiet, rest)
	row.Add(New, fmt.Sprintf("  new %s", r.Weight))
	return row.Add(Quiet, fmt.Sprintf("  old %s", fairlead.Whole-r.Weight)).String()
}

func barColumns(style Style) int { return min(44, max(8, style.Width-label-26)) }

func step(r client.Rollout, now time.Time, style Style) string {
	row := style.Row().Add(Quiet, "step").To(label)
	if r.Phase != "stepping" {
		return row.Add(Plain, doing(r)).String()
	}
	row.Add(Plain, StepText(r))
	if !r.StepBegan.IsZero() {
		row.Add(Quiet, ", for "+Elapsed(now.Sub(r.StepBegan)))
	}
	return row.String()
}

func evidence(r client.Rollout, style Style) []string {
	e := EvidenceOf(r)
	if !Judged(r) || e.Safety.Needed == 0 && e.Harm.Needed == 0 {
		return nil
	}
	lines := []string{
		evidenceRow("safety", e.Safety, Good, style),
		evidenceRow("harm", e.Harm, Bad, style),
	}
	verdict := style.Row().Add(Quiet, "verdict").To(label)
	switch {
	case r.Verdict.Finding == fairlead.Harmful:
		verdict.Add(Bad, "harmful").Add(Plain, signal(r.Verdict))
	case r.Verdict.Finding == fairlead.Safe:
		verdict.Add(Good, "safe").Add(Plain, signal(r.Verdict))
	default:
		verdict.Add(Plain, "open"+Left(r)).Add(Quiet, waits(r, e))
	}
	lines = append(lines, verdict.String())
	if text := patience(r, e); text != "" {
		lines = append(lines, Paragraph("", text, Care, style)...)
	}
	if unseen(r) {
		lines = append(lines, Paragraph("", noRequests, Care, style)...)
	}
	lines = append(lines, Paragraph("waits for", r.Waits, Plain, style)...)
	if e.Blocked != "" {
		lines = append(lines, Paragraph("", "safe cannot be concluded: "+e.Blocked, Care, style)...)
	}
	if e.Afresh != "" {
		lines = append(lines, Paragraph("", "safety is proven afresh: "+e.Afresh, Quiet, style)...)
	}
	return lines
}

func signal(v fairlead.Verdict) string {
	if v.Signal == "" {
		return ""
	}
	return fmt.Sprintf(" by %s: E = %s", v.Signal, EValue{v.E, v.Needed})
}

// Left returns ", about 12 s left" where the time to the next verdict is known.
func Left(r client.Rollout) string {
	if r.LeftSecs == nil {
		return ""
	}
	return fmt.Sprintf(", about %s left", figures.Left(*r.LeftSecs))
}

// waits names the signal whose proof takes longest.
func waits(r client.Rollout, e Evidence) string {
	if e.Waits == "" || r.LeftSecs == nil {
		return ""
	}
	return ", " + e.Waits + " takes longest"
}

// slow is from how many seconds on it is said what would help.
const slow = 600

// patience says of a step that takes long at which traffic that is, and what would
// help; nothing of another.
func patience(r client.Rollout, e Evidence) string {
	if e.Waits == "" || r.Held != "" || r.LeftSecs == nil || *r.LeftSecs < slow {
		return ""
	}
	help := "add copies of requests (mirror)"
	if r.Weight < fairlead.Whole/2 {
		help = "widen the canary or " + help
	}
	rate := fmt.Sprintf("%.2g", e.Requests)
	if e.Requests >= 10 {
		rate = fmt.Sprintf("%.0f", e.Requests)
	}
	requests := "requests"
	if rate == "1" {
		requests = "request"
	}
	return fmt.Sprintf("at %s %s/s this takes long; %s", rate, requests, help)
}

func evidenceRow(name string, e EValue, tone Tone, style Style) string {
	row := style.Row().Add(Quiet, name).To(label)
	if e.Needed == 0 {
		return row.Add(Quiet, "not known").String()
	}
	full, rest := style.SplitBar(e.Progress(), barColumns(style))
	return row.Add(tone, full).Add(Quiet, rest).Add(Plain, "  "+e.String()).String()
}

func arms(r client.Rollout, style Style) []string {
	if r.Canary.Requests == 0 && r.Stable.Requests == 0 {
		return nil
	}
	return []string{
		armRow("new", fmt.Sprintf("%s@%d", r.App, r.To), r.Canary, New, style),
		armRow("old", releaseName(r.App, r.From), r.Stable, Plain, style),
	}
}

// guards says what the newest looks at thresholds showed.
func guards(r client.Rollout, style Style) []string {
	var lines []string
	for i, g := range r.Guards {
		name, tone := "guards", Plain
		if i > 0 {
			name = ""
		}
		if g.Blind != "" || g.Bad > 0 {
			tone = Care
		}
		lines = append(lines, Paragraph(name, g.Name+": "+g.Text+" (no guarantee)", tone, style)...)
	}
	return lines
}

func armRow(name, release string, arm client.Arm, tone Tone, style Style) string {
	row := style.Row().Add(Quiet, name).To(label).Add(tone, release)
	requests := "requests"
	if arm.Requests == 1 {
		requests = "request"
	}
	row.To(label+16).Add(Plain, fmt.Sprintf("%9s %s", Count(arm.Requests), requests))
	row.To(label+34).Add(Plain, fmt.Sprintf("%8s failed", Count(arm.Failed)))
	row.To(label+50).Add(Quiet, fmt.Sprintf("(%s)", Share(arm.Failed, arm.Requests)))
	if arm.Units > 0 {
		row.To(label+58).Add(Quiet, Count(arm.Units)+" units")
	}
	return row.String()
}

func instances(site client.Site, style Style) []string {
	if len(site.Instances) == 0 {
		return nil
	}
	counts := map[int]map[workload.State]int{}
	restarts, kills := map[int]int{}, map[int]int{}
	for _, in := range site.Instances {
		if counts[in.Release] == nil {
			counts[in.Release] = map[workload.State]int{}
		}
		counts[in.Release][in.State]++
		restarts[in.Release] += in.Restarts
		kills[in.Release] += in.OOMKills
	}
	releases := make([]int, 0, len(counts))
	for release := range counts {
		releases = append(releases, release)
	}
	sort.Sort(sort.Reverse(sort.IntSlice(releases)))
	var parts []string
	for _, release := range releases {
		parts = append(parts, fmt.Sprintf("%s@%d: %s", site.App, release, states(counts[release], restarts[release], kills[release])))
	}
	return Paragraph("instances", strings.Join(parts, "; "), Plain, style)
}

// states lists how many instances are in which state, in the order of a life.
func states(counts map[workload.State]int, restarts, kills int) string {
	order := []workload.State{workload.Ready, workload.Unready, workload.Starting, workload.Backoff,
		workload.CrashLoop, workload.Refused, workload.Stopping, workload.Exited}
	var parts []string
	for _, state := range order {
		if n := counts[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}
	switch {
	case restarts == 1:
		parts = append(parts, "1 restart")
	case restarts > 1:
		parts = append(parts, fmt.Sprintf("%d restarts", restarts))
	}
	if kills > 0 {
		parts = append(parts, fmt.Sprintf("%d out of memory", kills))
	}
	return strings.Join(parts, ", ")
}

// ending says why a rollout stands still, or how it ended.
func ending(r client.Rollout, style Style) []string {
	switch {
	case r.Outcome == client.Promoted:
		return Paragraph("outcome", Summary(r), Good, style)
	case r.Outcome != "":
		return Paragraph("outcome", Summary(r), Bad, style)
	case r.Held != "":
		return append(Paragraph("held", r.Held, Care, style), Paragraph("why", r.Reason, Plain, style)...)
	}
	return Paragraph("now", r.Reason, Plain, style)
}

// Paragraph writes text beside a name, wrapped, and nothing for no text.
func Paragraph(name, text string, tone Tone, style Style) []string {
	var lines []string
	for i, part := range Wrap(text, max(20, style.Width)-label) {
		if i > 0 {
			name = ""
		}
		lines = append(lines, style.Row().Add(Quiet, name).To(label).Add(tone, part).String())
	}
	return lines
}
