package score

import (
	"fmt"
	"html"
	"io"
	"math"
	"strings"
)

// The picture's layout, in pixels.
const (
	pictureWide = 1060
	labelWide   = 230
	panelWide   = 220
	panelGap    = 48
	rowHigh     = 22
	headHigh    = 96
	footHigh    = 62
)

// panel is one column of the picture, with an axis of its own.
type panel struct {
	title, unit string
	left        float64
	place       func(float64) float64 // share of the width
	ticks       []tick
}

type tick struct {
	at    float64
	label string
}

// Picture writes the board as SVG: a row for each judge; harm, false rollbacks and
// good releases that were promoted side by side. It follows the reader's light or dark
// colours and needs no script.
func (b *Board) Picture(w io.Writer) error {
	var s strings.Builder
	high := headHigh + rowHigh*len(b.Rows) + footHigh
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="Harm, false rollbacks and promotions of %d judges">`, pictureWide, high, len(b.Rows))
	s.WriteString(style)
	fmt.Fprintf(&s, `<rect class="page" width="%d" height="%d" rx="8"/>`, pictureWide, high)
	fmt.Fprintf(&s, `<text class="title" x="20" y="30">Release fault corpus: %d cells, %d rollouts each</text>`, b.Cells, b.Rollouts)
	s.WriteString(`<text class="note" x="20" y="48">Every judge meets the same users. Further left is better in the first two panels, further right in the third.</text>`)
	panels := b.panels()
	for i := range panels {
		panels[i].left = 20 + labelWide + float64(i)*(panelWide+panelGap)
		panels[i].draw(&s, len(b.Rows))
	}
	for i, r := range b.Rows {
		drawRow(&s, r, float64(headHigh+rowHigh*i)+rowHigh/2, panels)
	}
	fmt.Fprintf(&s, `<text class="note" x="20" y="%d">Harm is a geometric mean in which every fault weighs the same. Lines in the second panel are 95 %% Clopper-Pearson intervals.</text>`, high-14)
	s.WriteString("</svg>\n")
	_, err := io.WriteString(w, s.String())
	return err
}

// style has colours for both schemes; grey and two hues that differ in lightness too.
const style = `<style>
.page{fill:#fff}.title{font:600 16px system-ui,sans-serif;fill:#1b1f24}.note,.tick{font:11px system-ui,sans-serif;fill:#57606a}
.label{font:12px system-ui,sans-serif;fill:#1b1f24}.own{font-weight:700}.grid{stroke:#d8dee4;stroke-width:1}.head{font:600 12px system-ui,sans-serif;fill:#1b1f24}
.bar{stroke:#8c959f;stroke-width:2}.dot{fill:#57606a}.bar.own{stroke:#0b62c4;stroke-width:4}.dot.own{fill:#0b62c4}.band{fill:#0b62c4;opacity:.08}
@media (prefers-color-scheme:dark){.page{fill:#14181d}.title,.label,.head{fill:#e6edf3}.note,.tick{fill:#9aa4af}.grid{stroke:#30363d}
.bar{stroke:#6e7681}.dot{fill:#9aa4af}.bar.own{stroke:#6cb2ff}.dot.own{fill:#6cb2ff}.band{fill:#6cb2ff;opacity:.12}}
</style>`

func (b *Board) panels() []panel {
	most := 10.0
	for _, r := range b.Rows {
		most = max(most, r.Excess)
	}
	decades := math.Ceil(math.Log10(most))
	harm := panel{title: "Harm of bad releases", unit: "user-visible failures a rollout (log)", place: func(v float64) float64 {
		return max(0, math.Log10(max(v, 1))) / decades
	}}
	for d := 0.0; d <= decades; d++ {
		harm.ticks = append(harm.ticks, tick{math.Pow(10, d), number(math.Pow(10, d))})
	}
	root := func(v float64) float64 { return math.Sqrt(v) }
	alarms := panel{title: "Good releases rolled back", unit: "share of rollouts (square root)", place: root}
	for _, v := range []float64{0, 0.01, 0.1, 0.25, 0.5, 1} {
		alarms.ticks = append(alarms.ticks, tick{v, strings.Replace(percent(v), "1.0", "1", 1)})
	}
	good := panel{title: "Good releases promoted", unit: "share of rollouts within " + hours(), place: func(v float64) float64 { return v }}
	for _, v := range []float64{0, 0.25, 0.5, 0.75, 1} {
		good.ticks = append(good.ticks, tick{v, percent(v)})
	}
	return []panel{harm, alarms, good}
}

// x returns where a value is drawn.
func (p *panel) x(v float64) float64 { return p.left + panelWide*min(max(p.place(v), 0), 1) }

func (p *panel) draw(s *strings.Builder, rows int) {
	bottom := headHigh + rowHigh*rows
	fmt.Fprintf(s, `<text class="head" x="%.0f" y="%d">%s</text>`, p.left, headHigh-16, html.EscapeString(p.title))
	for _, t := range p.ticks {
		fmt.Fprintf(s, `<line class="grid" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>`, p.x(t.at), p.x(t.at), headHigh-6, bottom)
		fmt.Fprintf(s, `<text class="tick" x="%.1f" y="%d" text-anchor="middle">%s</text>`, p.x(t.at), bottom+14, html.EscapeString(t.label))
	}
	fmt.Fprintf(s, `<text class="note" x="%.0f" y="%d">%s</text>`, p.left, bottom+30, html.EscapeString(p.unit))
}

// drawRow draws a judge's row around y.
func drawRow(s *strings.Builder, r Row, y float64, panels []panel) {
	own := ""
	if r.Rule == Own {
		own = " own"
		fmt.Fprintf(s, `<rect class="band" x="12" y="%.1f" width="%d" height="%d" rx="4"/>`, y-rowHigh/2, pictureWide-24, rowHigh)
	}
	fmt.Fprintf(s, `<text class="label%s" x="20" y="%.1f">%s</text>`, own, y+4, html.EscapeString(r.Rule))
	harm, alarms, good := &panels[0], &panels[1], &panels[2]
	line := func(p *panel, from, to float64) {
		fmt.Fprintf(s, `<line class="bar%s" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, own, p.x(from), p.x(to), y, y)
	}
	dot := func(p *panel, v float64, what string) {
		fmt.Fprintf(s, `<circle class="dot%s" cx="%.1f" cy="%.1f" r="5"><title>%s: %s</title></circle>`, own, p.x(v), y, html.EscapeString(r.Rule), html.EscapeString(what))
	}
	line(harm, 1, r.Excess)
	dot(harm, r.Excess, number(r.Excess)+" failures")
	line(alarms, r.FalseLow, r.FalseHigh)
	dot(alarms, share(r.False, r.Good), percent(share(r.False, r.Good)))
	line(good, 0, r.Promoted)
	dot(good, r.Promoted, percent(r.Promoted))
}
