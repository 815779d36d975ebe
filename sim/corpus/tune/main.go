// Tune chooses for each peer of the release fault corpus the best of its settings, on
// worlds that the comparison does not use, and writes them to a file that the
// comparison reads. Best is the least harm among the settings that roll back at most
// 1 % of the good rollouts; if none does, the one that rolls back the fewest.
//
//	go run ./sim/corpus/tune -rollouts 5
//
// Results are kept, so that a run that was stopped goes on where it was.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/sim/corpus"
	"github.com/fairlead/fairlead/sim/corpus/peer"
	"github.com/fairlead/fairlead/sim/corpus/score"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "tune:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("tune", flag.ContinueOnError)
	rollouts := flags.Int("rollouts", 5, "rollouts of each cell; a fifth of it at 100 requests a second, which take ten times as long")
	most := flags.Float64("most", 100, "leave out cells with more requests a second than this")
	dir := flags.String("dir", "sim/corpus/out/tune", "where results are kept")
	out := flags.String("out", "sim/corpus/peer/tuned.json", "the file to write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	cells := slices.DeleteFunc(corpus.Cells(), func(c corpus.Cell) bool { return c.Traffic.Rate > *most })
	summaries, err := play(ctx, trial(cells, *rollouts, *dir))
	if err != nil {
		return err
	}
	board := score.NewBoard("tune", *rollouts, cells, summaries)
	found := peer.Choices{
		Command: strings.Join(append([]string{"go run ./sim/corpus/tune"}, args...), " "),
		Corpus:  corpus.Version(), Cells: len(cells), Rollouts: *rollouts,
	}
	for _, p := range peer.All() {
		found.Choices = append(found.Choices, choose(p, board.Rows))
	}
	return write(*out, found)
}

// candidates are all settings of all peers.
func candidates() []corpus.Rule {
	var rules []corpus.Rule
	for _, p := range peer.All() {
		rules = append(rules, p.Rules...)
		rules = append(rules, p.Grid...)
	}
	return rules
}

// trial plays all settings on worlds that no comparison uses.
func trial(cells []corpus.Cell, rollouts int, dir string) score.Run {
	return score.Run{Dir: dir, Cells: cells, Rules: candidates(), Split: corpus.Tune, Rollouts: rollouts, Progress: os.Stderr}
}

// fast is the rate from which cells get a fifth of the rollouts.
const fast = 100

// play plays the slow cells, then the fast ones.
func play(ctx context.Context, run score.Run) ([]score.Summary, error) {
	isFast := func(c corpus.Cell) bool { return c.Traffic.Rate >= fast }
	slow, quick := run, run
	slow.Cells = slices.DeleteFunc(slices.Clone(run.Cells), isFast)
	quick.Cells = slices.DeleteFunc(slices.Clone(run.Cells), func(c corpus.Cell) bool { return !isFast(c) })
	quick.Rollouts = max(1, run.Rollouts/5)
	first, err := slow.Do(ctx)
	if err != nil {
		return nil, err
	}
	second, err := quick.Do(ctx)
	return slices.Concat(first, second), err
}

// alarms is the greatest share of good rollouts that a tuned setting may roll back.
const alarms = 0.01

// choose returns the best setting of a peer among the rows of a board.
func choose(p peer.Peer, rows []score.Row) peer.Choice {
	var mine []peer.Choice
	for _, r := range rows {
		if name, _, _ := strings.Cut(r.Rule, "/"); name == p.Name {
			met := float64(r.False) <= alarms*float64(r.Good)
			mine = append(mine, peer.Choice{Peer: p.Name, Rule: r.Rule, Excess: r.Excess, False: r.False, Good: r.Good, Met: met})
		}
	}
	return slices.MinFunc(mine, better)
}

// better orders settings, the best one first.
func better(x, y peer.Choice) int {
	switch {
	case x.Met != y.Met && x.Met:
		return -1
	case x.Met != y.Met:
		return 1
	case !x.Met && x.False != y.False:
		return x.False - y.False
	case x.Excess < y.Excess:
		return -1
	case x.Excess > y.Excess:
		return 1
	}
	return strings.Compare(x.Rule, y.Rule)
}

func write(path string, found peer.Choices) error {
	data, err := json.MarshalIndent(found, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}
