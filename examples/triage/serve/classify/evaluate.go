package classify

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Report is how a model did on tickets that it was not trained on.
type Report struct {
	Classes   []string
	Confusion map[[2]string]int // {category, answer} -> tickets
	Tickets   int
	Right     int
}

// Evaluate lets model classify tickets and counts.
func Evaluate(model *Model, tickets []Ticket) Report {
	report := Report{Classes: model.Classes(), Confusion: map[[2]string]int{}, Tickets: len(tickets)}
	for _, t := range tickets {
		answer, _ := model.Classify(t.Text)
		report.Confusion[[2]string{t.Category, answer}]++
		if answer == t.Category {
			report.Right++
		}
	}
	return report
}

// Accuracy returns the share of right answers, 0 when there were no tickets.
func (r Report) Accuracy() float64 {
	if r.Tickets == 0 {
		return 0
	}
	return float64(r.Right) / float64(r.Tickets)
}

// Print writes the confusion table, a line for each true category, and the
// accuracy.
func (r Report) Print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "category \\ answer\t")
	for _, answer := range r.Classes {
		fmt.Fprint(table, answer, "\t")
	}
	fmt.Fprintln(table)
	for _, category := range r.Classes {
		fmt.Fprint(table, category, "\t")
		for _, answer := range r.Classes {
			fmt.Fprint(table, r.Confusion[[2]string{category, answer}], "\t")
		}
		fmt.Fprintln(table)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "accuracy %.3f (%d of %d held-out tickets)\n", r.Accuracy(), r.Right, r.Tickets)
	return err
}
