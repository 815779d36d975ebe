// Command bench measures the figures that Fairlead promises to reach, and prints
// them beside their goals: with real processes where a figure is about processes.
// `make bench` runs it. It judges nothing but what it measured; a machine that is
// busy with something else gives other figures.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	program := flag.String("program", "bin/fairlead", "the `binary` to measure")
	out := flag.String("out", "bench/out", "`directory` for the results and for states; it must be on the disk to measure")
	only := flag.String("only", "", "measure only these `groups`, separated by commas: "+strings.Join(names(groups), ", "))
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	l, err := newLab(ctx, *program, *out)
	if err != nil {
		return err
	}
	defer l.close()
	m, err := describeMachine(l)
	if err != nil {
		return err
	}
	report := report{Machine: m}
	failed := report.measure(ctx, l, chosen)
	report.print(os.Stdout)
	return errors.Join(failed, report.write(filepath.Join(l.out, "figures.json")))
}

// group is figures that are measured together.
type group struct {
	name    string
	measure func(ctx context.Context, l *lab) ([]figure, error)
}

// groups are all of them, in the order of the table.
var groups = []group{
	{"size", measureSize},
	{"up", measureUp},
	{"instance", measureInstance},
	{"shift", measureShift},
	{"memory", measureMemory},
	{"ledger", measureLedger},
	{"lost", measureLost},
	{"go", measureGo},
}

func names(all []group) []string {
	var n []string
	for _, g := range all {
		n = append(n, g.name)
	}
	return n
}

// choose returns the groups named in a list with commas, or all for an empty one.
func choose(list string) ([]group, error) {
	if list == "" {
		return groups, nil
	}
	var chosen []group
	for name := range strings.SplitSeq(list, ",") {
		found := false
		for _, g := range groups {
			if g.name == name {
				chosen, found = append(chosen, g), true
			}
		}
		if !found {
			return nil, fmt.Errorf("there is no group %q, only %s", name, strings.Join(names(groups), ", "))
		}
	}
	return chosen, nil
}

// measure measures one group after the other. One that cannot be measured does not
// stop the others.
func (r *report) measure(ctx context.Context, l *lab, chosen []group) error {
	var failed []error
	for _, g := range chosen {
		if ctx.Err() != nil {
			return errors.Join(append(failed, ctx.Err())...)
		}
		fmt.Fprintf(os.Stderr, "measuring: %s\n", g.name)
		figures, err := g.measure(ctx, l)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", g.name, err))
			continue
		}
		r.Figures = append(r.Figures, figures...)
	}
	return errors.Join(failed...)
}
