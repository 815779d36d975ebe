package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/fairlead/fairlead/sim/corpus"
	"github.com/fairlead/fairlead/sim/corpus/live"
	"github.com/fairlead/fairlead/sim/corpus/peer"
	"github.com/fairlead/fairlead/sim/corpus/score"
	"github.com/fairlead/fairlead/sim/corpus/validity"
)

// profile is how much is run.
type profile struct {
	rollouts int // of a cell
	validity int // of a case
	cells    func([]corpus.Cell) []corpus.Cell
}

func profiles() map[string]profile {
	return map[string]profile{
		"full":  {rollouts: 500, validity: 20000, cells: func(c []corpus.Cell) []corpus.Cell { return c }},
		"quick": {rollouts: 10, validity: 40, cells: oneOfEach},
	}
}

// oneOfEach keeps a cell of each kind, at 10 requests a second where there is one, and
// those of the goals at most there.
func oneOfEach(all []corpus.Cell) []corpus.Cell {
	var some []corpus.Cell
	kinds := map[string]bool{}
	for _, c := range all {
		if c.Traffic.Rate == 10 && !kinds[c.Kind] {
			kinds[c.Kind] = true
			some = append(some, c)
		}
	}
	return some
}

type options struct {
	profile          string
	rollouts, proofs int
	cells, rules     *regexp.Regexp
	dir, docs        string
}

func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&o.profile, "profile", "quick", "quick or full")
	flags.IntVar(&o.rollouts, "rollouts", -1, "rollouts of each cell (default: the profile's)")
	flags.IntVar(&o.proofs, "validity", -1, "rollouts of each validity case, 0 for none (default: the profile's)")
	flags.StringVar(&o.dir, "dir", "sim/corpus/out", "where results are kept; what is there is not run again")
	flags.StringVar(&o.docs, "docs", "", "write benchmark.md, .json and .svg into this folder too")
	cells := flags.String("cells", "", "only cells that match this regular expression")
	rules := flags.String("judges", "", "only judges that match this regular expression")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	p, known := profiles()[o.profile]
	if !known {
		return o, fmt.Errorf("profile %q is none of quick and full", o.profile)
	}
	if o.rollouts < 0 {
		o.rollouts = p.rollouts
	}
	if o.proofs < 0 {
		o.proofs = p.validity
	}
	if o.cells, err = regexp.Compile(*cells); err != nil {
		return o, fmt.Errorf("-cells: %w", err)
	}
	if o.rules, err = regexp.Compile(*rules); err != nil {
		return o, fmt.Errorf("-judges: %w", err)
	}
	return o, nil
}

// bench compares judges, checks the promises, and prints and writes what came of it.
func bench(ctx context.Context, args []string, out, progress io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	own, err := live.Rule("")
	if err != nil {
		return err
	}
	if own.Version, err = score.SourceVersion(".", sources()...); err != nil {
		return fmt.Errorf("%w (run this from the root of the checkout)", err)
	}
	rules, err := judges(own, o.rules)
	if err != nil {
		return err
	}
	cells := slices.DeleteFunc(profiles()[o.profile].cells(corpus.Cells()), func(c corpus.Cell) bool { return !o.cells.MatchString(c.Name) })
	began := time.Now()
	r := score.Run{
		Dir: filepath.Join(o.dir, "cells"), Cells: cells, Rules: rules, Split: corpus.Score, Rollouts: o.rollouts, Progress: progress,
	}
	summaries, err := r.Do(ctx)
	if err != nil {
		return err
	}
	board := score.NewBoard(o.profile, o.rollouts, cells, summaries)
	if board.Validity, err = proofs(ctx, o, own.Version, progress); err != nil {
		return err
	}
	if o.proofs > 0 && o.rules.MatchString(score.Own) {
		median, found, err := validity.Answers(ctx, min(o.proofs, 500))
		if err != nil {
			return err
		}
		board.AddGoal("judged answers until 10 → 20 % bad ones are found, halves", 700, median, found)
	}
	if board.Hours, err = clock(filepath.Join(o.dir, "hours-"+o.profile), since(began)); err != nil {
		return err
	}
	board.Print(out)
	if o.docs == "" {
		o.docs = o.dir
	}
	return publish(board, o.docs)
}

// sources is what Fairlead's decisions depend on.
func sources() []string {
	return []string{
		"block.go", "environment.go", "signal.go", "verdict.go", "app/complete.go", "gateway/book.go", "gateway/counter.go",
		"rollout", "sim/corpus/live",
	}
}

// judges are Fairlead and its peers: as documented, and tuned.
func judges(own corpus.Rule, only *regexp.Regexp) ([]corpus.Rule, error) {
	tuned, err := peer.Tuned()
	if err != nil {
		return nil, err
	}
	all := slices.Concat([]corpus.Rule{own}, peer.Documented(), tuned)
	all = slices.DeleteFunc(all, func(r corpus.Rule) bool { return !only.MatchString(r.Name) })
	if len(all) == 0 {
		return nil, fmt.Errorf("no judge matches %s", only)
	}
	return all, nil
}

// proofs checks the promises case by case. Results are kept like those of cells.
func proofs(ctx context.Context, o options, version string, progress io.Writer) ([]score.Validity, error) {
	if o.proofs == 0 || !o.rules.MatchString(score.Own) {
		return nil, nil
	}
	kept := score.Kept{Dir: filepath.Join(o.dir, "validity"), Version: version}
	var all []score.Validity
	cases := validity.Cells()
	for i, c := range cases {
		bound := 1.0 / 300
		if c.Margin {
			bound = 1.0 / 20
		}
		began := time.Now()
		v, made, err := kept.Validity(c.Name, o.proofs, bound, func() (int, error) { return validity.Run(ctx, c, o.proofs) })
		if err != nil {
			return nil, err
		}
		all = append(all, v)
		if made {
			fmt.Fprintf(progress, "[%*d/%d] validity: %-32s %d of %d  %7.1f s\n", 2, i+1, len(cases), c.Name, v.Seen, v.Rollouts, time.Since(began).Seconds())
		}
	}
	return all, nil
}

// clock adds hours to those that earlier runs of a profile took, and returns the sum.
func clock(file string, hours float64) (float64, error) {
	before := 0.0
	if data, err := os.ReadFile(file); err == nil {
		_, _ = fmt.Sscan(string(data), &before) // a file that is no number counts from zero
	}
	sum := before + hours
	return sum, os.WriteFile(file, fmt.Appendln(nil, sum), 0o644)
}

// publish writes the board's page, picture and JSON.
func publish(b *score.Board, dir string) error {
	for name, write := range map[string]func(io.Writer) error{
		"benchmark.json": b.JSON,
		"benchmark.svg":  b.Picture,
		"benchmark.md":   func(w io.Writer) error { return b.Page(w, "benchmark.svg") },
	} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if err := write(f); err != nil {
			_ = f.Close() // the first error is told
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}
