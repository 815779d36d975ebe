package score

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
)

// Print writes the board for a terminal.
func (b *Board) Print(w io.Writer) {
	fmt.Fprintf(w, "%d cells (%d with a fault), %d rollouts of %s each\n\n", b.Cells, b.Faults, b.Rollouts, hours())
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	wide := len("judge")
	for _, r := range b.Rows {
		wide = max(wide, len(r.Rule))
	}
	fmt.Fprintln(t, "\tharm\tcaught\tdelay\tpromoted\tfalse\tof good\tin the worst\tgood\t ")
	fmt.Fprintf(t, "%-*s\tgeo. mean\t\tmedian\tfaulty\trollbacks\t95 %%\tcell\tpromoted\t \n", wide, "judge")
	for _, r := range b.Rows {
		fmt.Fprintf(t, "%-*s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t \n", wide, r.Rule, number(r.Excess), percent(r.Caught), since(r.Delay),
			percent(r.Wrong), percent(share(r.False, r.Good)), interval(r.FalseLow, r.FalseHigh), percent(r.WorstRate), percent(r.Promoted))
	}
	flush(t)
	b.printGoals(w)
	b.printValidity(w)
	b.printLosses(w)
}

func (b *Board) printGoals(w io.Writer) {
	if len(b.Goals) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "figure\tgoal\tmeasured\t")
	for _, g := range b.Goals {
		fmt.Fprintf(t, "%s\t≤ %s\t%s\t%s\n", g.What, figure(&g.Goal, g.Unit), figure(g.Measured, g.Unit), missed(g.Met()))
	}
	flush(t)
}

func (b *Board) printValidity(w io.Writer) {
	if len(b.Validity) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "validity\tseen\tof\tshare\t95 %\tat most\t")
	for _, v := range b.Validity {
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\t%s\t%s\t%s\n", v.Name, v.Seen, v.Rollouts, percent(share(v.Seen, v.Rollouts)), interval(v.Low, v.High), percent(v.Bound), missed(v.Holds()))
	}
	flush(t)
}

func (b *Board) printLosses(w io.Writer) {
	if len(b.Lost) == 0 {
		return
	}
	fmt.Fprintf(w, "\nLess harm than Fairlead, with false rollbacks of at most %s:\n", percent(b.Few()))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, l := range b.Lost {
		fmt.Fprintf(t, "  %s\t%s\t%s\tagainst %s\n", l.Cell, l.Peer, number(l.Is), number(l.Own))
	}
	flush(t)
}

// flush writes an aligned table; what cannot be written is the writer's to tell.
func flush(t *tabwriter.Writer) { _ = t.Flush() }

func missed(met bool) string {
	if met {
		return ""
	}
	return "missed"
}

func figure(v *float64, unit string) string {
	if v == nil {
		return "never"
	}
	if unit == "" && *v < 100 {
		return fmt.Sprintf("%.2f", *v)
	}
	return strings.TrimSpace(number(*v) + " " + unit)
}

func share(k, n int) float64 {
	if n == 0 {
		return 0
	}
	return float64(k) / float64(n)
}

func since(seconds float64) string {
	if seconds < 0 {
		return "never"
	}
	return number(seconds) + " s"
}

// number has three digits at most, and thousands apart.
func number(v float64) string {
	switch {
	case math.Abs(v) < 10:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
	case math.Abs(v) < 1000:
		return fmt.Sprintf("%.0f", v)
	case v < 1e6:
		return fmt.Sprintf("%d,%03d", int(v+0.5)/1000, int(v+0.5)%1000)
	}
	return fmt.Sprintf("%.3g million", v/1e6)
}

func percent(p float64) string {
	switch {
	case p <= 0:
		return "0"
	case p < 0.0095:
		return fmt.Sprintf("%.2f %%", 100*p)
	case p < 0.0995:
		return fmt.Sprintf("%.1f %%", 100*p)
	}
	return fmt.Sprintf("%.0f %%", 100*p)
}

func interval(low, high float64) string {
	return strings.TrimSuffix(percent(low), " %") + "–" + percent(high)
}
