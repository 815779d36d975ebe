package tour

import (
	"fmt"
	"strings"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/cli/progress"
)

const column = 10 // where values begin

// frame draws a scene as lines of at most style.Width columns.
func frame(s scene, now time.Time, style progress.Style) []string {
	head := style.Row().Add(progress.Strong, "Fairlead tour").Add(progress.Quiet, "  six releases of an AI application meet their users")
	head.Right(progress.Quiet, fmt.Sprintf("%d s", int(now.Sub(s.began).Seconds())))
	lines := []string{head.String(), ""}
	lines = append(lines, releaseRows(s.past, s.stage, style)...)
	lines = append(lines, "")
	if s.rollout != nil {
		lines = append(lines, trafficRow(s.rollout, style))
		lines = append(lines, evidenceRows(*s.rollout, style)...)
		lines = append(lines, armRows(*s.rollout, style)...)
	}
	lines = append(lines, loadRow(s.traffic, style), "")
	return append(lines, progress.Paragraph("now", s.doing, progress.Plain, style)...)
}

// releaseRows list the releases: the past ones with their verdicts, the present
// one with what is wrong with it.
func releaseRows(past []Result, present *stage, style progress.Style) []string {
	var lines []string
	for _, r := range past {
		tone := progress.Good
		if r.Outcome != string(client.Promoted) {
			tone = progress.Bad
		}
		row := style.Row().Add(progress.Strong, r.Release).To(4).Add(tone, outcomeWords(r.Outcome))
		row.To(17).Add(progress.Plain, fmt.Sprintf("after %s", progress.Elapsed(time.Duration(r.Seconds*float64(time.Second)))))
		row.To(31).Add(progress.Quiet, tookText(r))
		if !r.expected() {
			row.Add(progress.Bad, "  not as expected")
		}
		lines = append(lines, row.String())
	}
	if present == nil {
		return lines
	}
	v := present.version
	lines = append(lines, style.Row().Add(progress.New, v.Name).To(4).Add(progress.Plain, v.Summary).String())
	if v.Fails != "" {
		lines = append(lines, style.Row().To(4).Add(progress.Care, v.Fails).Add(progress.Quiet, " (Fairlead is not told)").String())
	}
	return lines
}

func tookText(r Result) string {
	if r.first {
		return "takes the traffic"
	}
	return fmt.Sprintf("took %s requests, %s failed", progress.Count(r.Requests), progress.Count(r.Failures))
}

func trafficRow(r *client.Rollout, style progress.Style) string {
	share := float64(newWeight(r)) / float64(fairlead.Whole)
	row := barRow("traffic", share, progress.New, style)
	row.Add(progress.New, fmt.Sprintf("  new %s", r.Weight))
	return row.Add(progress.Quiet, fmt.Sprintf("  old %s", fairlead.Whole-r.Weight)).String()
}

// evidenceRows draw both kinds of evidence; the time left stands with the one
// that is ahead.
func evidenceRows(r client.Rollout, style progress.Style) []string {
	e := progress.EvidenceOf(r)
	if !progress.Judged(r) || e.Safety.Needed == 0 && e.Harm.Needed == 0 {
		return nil
	}
	harmAhead := e.Harm.Progress() > e.Safety.Progress()
	row := func(name string, v progress.EValue, tone progress.Tone, ahead bool) string {
		line := barRow(name, v.Progress(), tone, style).Add(progress.Plain, "  E = "+v.String())
		if ahead && r.Outcome == "" {
			line.Add(progress.Quiet, progress.Left(r))
		}
		return line.String()
	}
	return []string{
		row("safe?", e.Safety, progress.Good, !harmAhead),
		row("harmful?", e.Harm, progress.Bad, harmAhead),
	}
}

func barRow(name string, share float64, tone progress.Tone, style progress.Style) *progress.Row {
	columns := min(32, max(8, style.Width-column-36))
	full, rest := style.SplitBar(share, columns)
	return style.Row().Add(progress.Quiet, name).To(column).Add(tone, full).Add(progress.Quiet, rest)
}

func armRows(r client.Rollout, style progress.Style) []string {
	if r.Canary.Requests == 0 {
		return nil
	}
	arm := func(name string, a client.Arm, tone progress.Tone) string {
		row := style.Row().Add(progress.Quiet, name).To(column).Add(tone, fmt.Sprintf("%9s requests", progress.Count(a.Requests)))
		row.To(column+22).Add(progress.Plain, fmt.Sprintf("%6s failed", progress.Count(a.Failed)))
		return row.To(column+38).Add(progress.Quiet, progress.Share(a.Failed, a.Requests)).String()
	}
	return []string{arm("new", r.Canary, progress.New), arm("old", r.Stable, progress.Plain)}
}

func loadRow(p *pace, style progress.Style) string {
	row := style.Row().Add(progress.Quiet, "load").To(column)
	if p == nil {
		return row.Add(progress.Quiet, "not yet").String()
	}
	row.Add(progress.Plain, fmt.Sprintf("%9.0f requests/s", p.perSecond))
	row.To(column+22).Add(progress.Plain, fmt.Sprintf("%6s failed", progress.Count(p.failed)))
	tone := progress.Good
	if p.lost > 0 {
		tone = progress.Bad
	}
	row.To(column+38).Add(progress.Plain, progress.Count(p.sent)+" sent, ")
	return row.Add(tone, strings.TrimSpace(progress.Count(p.lost)+" lost")).String()
}
