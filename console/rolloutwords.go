package console

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/internal/figures"
)

// tile is a figure of the status with its name. Where At is set it is a span of time
// that the page keeps true.
type tile struct {
	Name, Text, Sub string
	At              time.Time
	Kind            string // for or till
}

// Tiles are the few figures that say where the rollout stands, or how it ended.
func (p rolloutPage) Tiles() []tile {
	if p.Over() {
		return p.ending()
	}
	tiles := []tile{{Name: "Phase", Text: phaseWords[p.Phase]}}
	if n := len(p.Weights); n > 1 && p.Step > 0 {
		tiles = append(tiles, tile{Name: "Step", Text: fmt.Sprintf("%d of %d", p.Step, n)})
	}
	switch {
	case p.Phase == "watching" && p.Held == "":
		tiles = append(tiles, tile{Name: "Watch ends", At: p.Decided.Add(p.Policy.RollbackWindow.D()), Kind: "till"})
	case p.Phase == "stepping" && !p.StepBegan.IsZero():
		tiles = append(tiles, tile{Name: "In this step for", At: p.StepBegan, Kind: "for"})
	default:
		tiles = append(tiles, tile{Name: "Under way for", At: p.Started, Kind: "for"})
	}
	switch {
	case p.Held != "":
		tiles = append(tiles, tile{Name: "Held", Text: p.Held})
	case p.LeftSecs != nil && p.Phase == "stepping":
		tiles = append(tiles, tile{Name: "To the next verdict", Text: "about " + figures.Left(*p.LeftSecs), Sub: p.longest()})
	}
	return append(tiles, p.verdict(), p.hurt())
}

// longest names the signal whose proof takes longest.
func (p rolloutPage) longest() string {
	if p.Evidence == nil || p.Evidence.Forecast.Signal == "" {
		return ""
	}
	return p.Evidence.Forecast.Signal + " takes longest"
}

var phaseWords = map[string]string{
	"gating": "proving its gates", "starting": "starting instances", "stepping": "earning its share",
	"watching": "promoted, watched", "returning": "traffic goes back", "ended": "ended",
}

// ending are the figures of the record.
func (p rolloutPage) ending() []tile {
	tiles := []tile{{Name: "Outcome", Text: outcome(p.Outcome)}}
	if !p.FirstTraffic.IsZero() && p.From > 0 {
		from := "from the first traffic"
		if p.Back() {
			from = "from when it was asked for"
		}
		tiles = append(tiles, tile{Name: "Decided after", Text: p.Lasted(), Sub: from})
	}
	if n := len(p.Weights); n > 1 {
		tiles = append(tiles, tile{Name: "Steps earned", Text: fmt.Sprintf("%d of %d", p.Passed(), n)},
			tile{Name: "Largest share", Text: p.Most().String()})
	}
	return append(tiles, p.verdict(), p.hurt())
}

// verdict is what the judge says, or said.
func (p rolloutPage) verdict() tile {
	t := tile{Name: "Verdict", Text: "none: nothing to compare"}
	switch {
	case p.Evidence == nil && p.From > 0 && p.FirstTraffic.IsZero() && !p.Over():
		t.Text = "none yet"
	case p.Evidence == nil && p.FirstTraffic.IsZero():
		t.Text = "none: it took no traffic"
	case p.Evidence == nil:
	case p.Verdict.Finding == fairlead.Inconclusive:
		t.Text = "open"
	default:
		t.Text = string(p.Verdict.Finding)
		t.Sub = eOf(p.Verdict.E, p.Verdict.Needed)
		if p.Verdict.Signal != "" {
			t.Sub = "by " + p.Verdict.Signal + ", " + t.Sub
		}
	}
	return t
}

// hurt counts the requests that failed on the new release.
func (p rolloutPage) hurt() tile {
	return tile{Name: "Failed on " + p.Name(), Text: figures.Plural(p.Hurt, "request", "requests")}
}

// armRow is what one release showed, for the table.
type armRow struct {
	Arm, Name        string
	Requests, Failed uint64
	Why              string // its failures by class
	P50, P99, First  string
}

// Arms are both releases, the new one first.
func (p rolloutPage) Arms() []armRow {
	report, _ := p.Report()
	newest := course{p.Rollout, p.course}.newest()
	rows := []armRow{armOf("new", p.Name(), p.Canary, report.Canary, newest.Canary)}
	if p.From > 0 && p.From != p.To {
		rows = append(rows, armOf("old", p.Old(), p.Stable, report.Stable, newest.Stable))
	}
	return rows
}

func armOf(which, name string, a client.Arm, failed client.FailedBy, sample client.ArmSample) armRow {
	row := armRow{Arm: which, Name: name, Requests: a.Requests, Failed: a.Failed, P50: "-", P99: "-", First: "-"}
	if l := sample.Latency; l != nil {
		row.P50, row.P99 = figures.Millis(l[0].Estimate), figures.Millis(l[2].Estimate)
	}
	if f := sample.First; f != nil {
		row.First = figures.Millis(f[0].Estimate)
	}
	var why []string
	for _, class := range []struct{ name, words string }{
		{"5xx", "answered 5xx"}, {"timeout", "timed out"}, {"reset", "broke off"}, {"declared", "declared by the app"},
	} {
		if n := failed.Failed[class.name]; n > 0 {
			why = append(why, figures.Count(n)+" "+class.words)
		}
	}
	row.Why = strings.Join(why, ", ")
	return row
}

// meter is one kind of evidence on its way to a verdict.
type meter struct {
	Name, Text, Says, Tone string
	Done                   float64 // hundredths
}

// Meter draws the evidence of harm, or of safety.
func (p rolloutPage) Meter(kind string) meter {
	e := p.Evidence.Report
	if kind == "harm" {
		return meter{Name: "Harmful?", Text: eOf(e.Harm.E, e.Harm.Needed), Done: p.Evidence.HarmDone(), Tone: "harm",
			Says: "Evidence of harm since the first traffic. At " + figures.E(e.Harm.Needed) + " it is rolled back."}
	}
	return meter{Name: "Safe?", Text: eOf(e.Safety.E, e.Safety.Needed), Done: p.Evidence.SafetyDone(), Tone: "safe",
		Says: "Evidence of safety in this step, of the signal that has least. At " + figures.E(e.Safety.Needed) + " the step is earned."}
}

// Certainty says what the evidence promises.
func (p rolloutPage) Certainty() string {
	return fmt.Sprintf("rolls back a good release at most once in %s; promotes a bad one at most once in %s",
		oneIn(p.Policy.Alpha), oneIn(p.Policy.Beta))
}

// oneIn writes a probability as people say it: 1/300 is "300".
func oneIn(probability float64) string {
	if !(probability > 0) || math.IsInf(1/probability, 0) {
		return "-"
	}
	return figures.Count(uint64(math.Round(1 / probability)))
}

// Unjudged says why there is no evidence although there was traffic.
func (p rolloutPage) Unjudged() string {
	switch {
	case p.From == 0:
		return "It is the first release here: there is nothing to compare it with, so nothing is judged."
	case p.From == p.To:
		return "It was live here already: nothing is judged."
	}
	return "It is a way back to a release that had the traffic before: it waits for no evidence, and nothing is judged."
}

// chapter is one sentence of the story.
type chapter struct {
	Number int
	At     time.Time
	Text   string
	Tone   string // safe, harm, held or ""
}

// How many sentences of the story are shown at once, and how many more can be unfolded.
const (
	mostChapters = 8
	mostEarlier  = 8
)

// Chapters are the newest sentences of the story, the newest first.
func (p rolloutPage) Chapters() []chapter { return p.told()[:min(mostChapters, len(p.Story))] }

// Earlier are those before them, as far as the page holds them.
func (p rolloutPage) Earlier() []chapter {
	return p.told()[min(mostChapters, len(p.Story)):min(mostChapters+mostEarlier, len(p.Story))]
}

// Oldest is how many sentences only the ledger tells.
func (p rolloutPage) Oldest() int { return max(0, len(p.Story)-mostChapters-mostEarlier) }

func (p rolloutPage) told() []chapter {
	kinds := map[time.Time]string{}
	for _, m := range p.course.Marks {
		kinds[m.At.UTC()] = m.Kind
	}
	all := make([]chapter, len(p.Story))
	for i, text := range p.Story {
		all[i] = chapter{Number: i, Text: text}
		if i < len(p.Told) {
			all[i].At = p.Told[i]
			all[i].Tone = toneOfKind(kinds[p.Told[i].UTC()])
		}
	}
	slices.Reverse(all)
	return all
}

// toneOfKind is the tone of a decision's entry.
func toneOfKind(kind string) string {
	switch strings.TrimPrefix(kind, "rollout.") {
	case "advanced", "promoted":
		return "safe"
	case "rolledBack", "aborted", "failed", "alerted":
		return "harm"
	case "held", "paused":
		return "held"
	}
	return ""
}

// gate is a gate with its badge's tone.
type gate struct{ client.Gate }

// Proofs are the gates with their evidence.
func (p rolloutPage) Proofs() []gate {
	all := make([]gate, len(p.Gates))
	for i, g := range p.Gates {
		all[i] = gate{g}
	}
	return all
}

// Proven is the digest of the release that its gates' evidence is of; "" before any.
func (p rolloutPage) Proven() fairlead.Digest {
	for _, g := range p.Gates {
		if g.Digest != "" {
			return g.Digest
		}
	}
	return ""
}

// Good reports whether the evidence has, or had, a time until which it is good.
func (g gate) Good() bool {
	return !g.Expires.IsZero() && (g.State == "passed" || g.State == "expired")
}

// Tone is the tone of the gate's state.
func (g gate) Tone() string {
	switch g.State {
	case "passed":
		return "safe"
	case "failed":
		return "harm"
	case "expired":
		return "held"
	case "running":
		return "move"
	}
	return "quiet"
}

// Terms are what the rollout must prove, and when, in words.
func (p rolloutPage) Terms() []fact {
	s := p.Policy
	facts := []fact{{"Strategy", strategyWords(p.Rollout)}}
	if p.Back() {
		return []fact{{"Strategy", "a way back: all traffic at once, as soon as its instances are ready"}}
	}
	if p.From == 0 || p.From == p.To || s.Alpha == 0 {
		return facts
	}
	facts = append(facts,
		fact{"A good release", "is rolled back at most once in " + oneIn(s.Alpha) + " rollouts, however often one looks"},
		fact{"A bad release", "is promoted at most once in " + oneIn(s.Beta) + " rollouts"},
		fact{"Bad means", fmt.Sprintf("worse in a protected signal by both an odds ratio of %s and %s", figureOf(s.Margin.Ratio), points(s.Margin.Absolute))},
		fact{"A step lasts", fmt.Sprintf("%s to %s; then, if inconclusive: %s", span(s.MinStep), span(s.MaxStep), inconclusive(s.OnInconclusive))})
	if s.RollbackWindow > 0 {
		text := span(s.RollbackWindow) + " after promotion"
		if s.Holdback != nil && *s.Holdback > 0 {
			text += ", with " + s.Holdback.Weight().String() + " left on the old release to compare with"
		} else {
			text += ", without a share left to compare with"
		}
		facts = append(facts, fact{"It is watched", text})
	}
	return facts
}

// points writes a difference of shares.
func points(share float64) string {
	if share == 0.01 {
		return "1 percentage point"
	}
	return figureOf(100*share) + " percentage points"
}

func inconclusive(policy string) string {
	switch policy {
	case fairlead.OnInconclusiveWiden:
		return "a larger share, to learn faster"
	case fairlead.OnInconclusiveRollback:
		return "back to the old release"
	case fairlead.OnInconclusivePromote:
		return "on without evidence"
	}
	return "hold, for evidence or a person"
}

func strategyWords(r client.Rollout) string {
	var shares []string
	for _, w := range r.Weights {
		shares = append(shares, w.String())
	}
	steps := strings.Join(shares, ", ")
	switch r.Strategy {
	case fairlead.BlueGreen:
		return "blue-green: all at once, " + steps
	case fairlead.Rolling:
		return "rolling: in place of the old instances, " + steps
	}
	return "canary: " + steps
}

// next is something that a reader of the record may want to do.
type next struct {
	Text, Path string
	Code       string // a command
	Act        string // the action that Path confirms
}

// Next says what to do after the end; nothing before.
func (p rolloutPage) Next() []next {
	if !p.Over() || p.From == p.To {
		return nil
	}
	var all []next
	if p.From > 0 {
		all = append(all, next{Text: fmt.Sprintf("See what %s has that %s has not", p.Name(), p.Old()), Path: releasePath(p.App, p.To)})
	}
	switch p.Outcome {
	case client.RolledBack, client.Failed, client.Aborted:
		if p.ran() {
			all = append(all, next{Text: "Read what its instances wrote:", Code: fmt.Sprintf("fairlead logs %s --env %s", p.App, p.Env)})
		}
		all = append(all, next{Text: "Mend it, and deploy again: the next release is judged afresh"})
		if p.May && p.BackTo > 0 {
			all = append(all, next{Text: fmt.Sprintf("Go back further, from %s to %s", p.Old(), releaseName(p.App, p.BackTo)), Path: rolloutPath(p.ID) + "/rollback", Act: "rollback"})
		}
	}
	return append(all, next{Text: "Prove that this record was not changed", Path: ledgerPath})
}

// ran reports whether instances of the new release were started.
func (p rolloutPage) ran() bool {
	proven := !slices.ContainsFunc(p.Gates, func(g client.Gate) bool { return g.State != "passed" })
	return !p.FirstTraffic.IsZero() || p.Outcome == client.Failed && proven
}
