// The command of the release fault corpus: it compares judges, checks Fairlead's
// promises, writes worlds for other tools and scores what they decided.
//
//	go run ./sim/corpus/cmd bench -profile full     # everything, resumable; writes docs/benchmark.*
//	go run ./sim/corpus/cmd write -cell errors-5%/10rps/random/flat -world 0 > world.jsonl.gz
//	go run ./sim/corpus/cmd score decisions.jsonl
//	go run ./sim/corpus/cmd cells
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/fairlead/fairlead/sim/corpus"
	"github.com/fairlead/fairlead/sim/corpus/score"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "stopped; the same command goes on from here")
		os.Exit(130)
	case err != nil && !errors.Is(err, flag.ErrHelp):
		fmt.Fprintln(os.Stderr, "corpus:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	if len(args) == 0 {
		return errors.New("want one of: bench, write, score, cells")
	}
	switch args[0] {
	case "bench":
		return bench(ctx, args[1:], out, progress)
	case "write":
		return write(args[1:], out)
	case "score":
		return scoreDecisions(args[1:], out)
	case "cells":
		return list(out)
	}
	return fmt.Errorf("%q is none of: bench, write, score, cells", args[0])
}

// list prints the cells.
func list(out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CELL\tAPP\tGOOD\tHARM\tWEIGHT")
	for _, c := range corpus.Cells() {
		fmt.Fprintf(t, "%s\t%s\t%t\t%s\t%.3f\n", c.Name, c.App, c.Good, c.Harm, c.Weight)
	}
	return t.Flush()
}

func find(name string) (corpus.Cell, error) {
	cells := corpus.Cells()
	i := slices.IndexFunc(cells, func(c corpus.Cell) bool { return c.Name == name })
	if i < 0 {
		return corpus.Cell{}, fmt.Errorf("no cell is called %q; list them with: go run ./sim/corpus/cmd cells", name)
	}
	return cells[i], nil
}

// write writes a world to out.
func write(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("write", flag.ContinueOnError)
	name := flags.String("cell", "errors-5%/10rps/random/flat", "which cell")
	world := flags.Int("world", 0, "which world of it, from 0")
	until := flags.Duration("until", corpus.Horizon, "how much of it")
	tune := flags.Bool("tune", false, "a world for tuning instead of one for scoring")
	if err := flags.Parse(args); err != nil {
		return err
	}
	c, err := find(*name)
	if err != nil {
		return err
	}
	split := corpus.Score
	if *tune {
		split = corpus.Tune
	}
	return corpus.Write(out, c, split, *world, *until)
}

// scoreDecisions prints what another tool's decisions were worth.
func scoreDecisions(args []string, out io.Writer) error {
	if len(args) != 1 {
		return errors.New("want a file of decisions, such as: score decisions.jsonl")
	}
	f, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	decisions, err := corpus.ReadDecisions(bufio.NewReader(f))
	if err != nil {
		return err
	}
	var cells []corpus.Cell
	var summaries []score.Summary
	rollouts := 0
	for _, c := range corpus.Cells() {
		n := decisions.Worlds(c.Name)
		if n == 0 {
			continue
		}
		results := make([]corpus.Result, n)
		for i := range results {
			results[i] = decisions.Play(c, corpus.Score, i)
		}
		cells, rollouts = append(cells, c), max(rollouts, n)
		summaries = append(summaries, score.Summarize(c, corpus.Rule{Name: "decisions"}, "", results))
	}
	if len(cells) == 0 {
		return fmt.Errorf("%s decides nothing", args[0])
	}
	score.NewBoard("decisions", rollouts, cells, summaries).Print(out)
	return nil
}

// since is the time from began, in hours.
func since(began time.Time) float64 { return time.Since(began).Hours() }
