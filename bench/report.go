package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"text/tabwriter"
)

// report is all that was measured, and on what.
type report struct {
	Machine machine  `json:"machine"`
	Figures []figure `json:"figures"`
}

// print writes the table.
func (r report) print(w io.Writer) {
	m := r.Machine
	fmt.Fprintf(w, "\n%s · %d cores · Linux %s · %s · %s\n", m.CPU, m.Cores, m.Kernel, m.Go, m.Time.Format("2006-01-02 15:04 MST"))
	fmt.Fprintf(w, "fdatasync of 4 KiB: %.2f ms (%.2f to %.2f) · load average at the start: %s\n\n", quantile(m.Fdatasync, 0.5),
		quantile(m.Fdatasync, 0.1), quantile(m.Fdatasync, 0.9), m.Load)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FIGURE\tGOAL\tMEDIAN\t10–90 %\tN\tREACHED")
	for _, f := range r.Figures {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", f.Name, f.goalText(), f.medianText(), f.spreadText(), strconv.Itoa(len(f.Samples)), f.reachedText())
	}
	t.Flush()
	fmt.Fprintln(w)
	for _, f := range r.Figures {
		if f.Note != "" {
			fmt.Fprintf(w, "%s: %s\n", f.Name, f.Note)
		}
	}
}

func (f figure) goalText() string {
	switch {
	case f.Goal == nil:
		return "–"
	case f.Goal.AtLeast:
		return "≥ " + number(f.Goal.Limit) + " " + f.Unit
	}
	return "≤ " + number(f.Goal.Limit) + " " + f.Unit
}

func (f figure) medianText() string {
	if len(f.Samples) == 0 {
		return "not measured here"
	}
	return number(f.median()) + " " + f.Unit
}

func (f figure) spreadText() string {
	if len(f.Samples) < 2 {
		return ""
	}
	return number(quantile(f.Samples, 0.1)) + "–" + number(quantile(f.Samples, 0.9))
}

func (f figure) reachedText() string {
	switch {
	case f.Goal == nil || len(f.Samples) == 0:
		return "–"
	case f.reached():
		return "yes"
	}
	return "NO"
}

// number prints three significant digits, and whole numbers from 100 on.
func number(x float64) string {
	if x >= 100 {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}

// write writes the report as JSON.
func (r report) write(file string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}
