package console

import (
	"fmt"
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
	if n := len(p.Weights); n > 1 && p.Step > 0 && !p.StepBegan.IsZero() {
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
	"gating": "proving its gates", "clearing": "requests wait", "starting": "starting instances", "stepping": "earning its share",
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
	case p.Verdict.Finding == fairlead.Inconclusive && p.Over() && p.Outcome == client.Promoted:
		t.Text, t.Sub = "open", "when its watch ended"
	case p.Verdict.Finding == fairlead.Inconclusive && p.Over():
		t.Text, t.Sub = "none", "the evidence did not decide"
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
