package score

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/sim/corpus"
)

// Run is a comparison to be made. Results that are in Dir for the same cell, rule,
// versions and number of rollouts are not made again, so that a run that was stopped
// goes on where it was.
type Run struct {
	Dir      string
	Cells    []corpus.Cell
	Rules    []corpus.Rule
	Split    corpus.Split
	Rollouts int // of each cell
	Workers  int // at the same time; 0 for as many as there are processors
	Progress io.Writer
}

// Do makes what is missing and returns all summaries, cell by cell in the order of
// rules. When ctx ends it returns ctx's error; whole cells that were made are kept.
func (r Run) Do(ctx context.Context) ([]Summary, error) {
	if err := os.MkdirAll(r.Dir, 0o755); err != nil {
		return nil, err
	}
	var all []Summary
	began, work, done := time.Now(), r.effort(), 0.0
	for i, c := range r.Cells {
		made, spent, err := r.cell(ctx, c)
		if err != nil {
			return nil, err
		}
		all = append(all, made...)
		if spent > 0 {
			done += effort(c)
			left := time.Duration(float64(time.Since(began)) * (work - done) / done)
			fmt.Fprintf(r.Progress, "[%*d/%d] %-36s %2d judges x %d rollouts  %7.1f s   about %s left\n",
				len(fmt.Sprint(len(r.Cells))), i+1, len(r.Cells), c.Name, len(r.Rules), r.Rollouts, spent.Seconds(), left.Round(time.Minute))
		} else {
			work -= effort(c)
		}
	}
	return all, nil
}

func (r Run) effort() float64 {
	sum := 0.0
	for _, c := range r.Cells {
		sum += effort(c)
	}
	return sum
}

// effort guesses how long a cell takes, beside others.
func effort(c corpus.Cell) float64 { return 1 + c.Traffic.Rate }

// cell returns the summaries of a cell and how long those that were missing took.
func (r Run) cell(ctx context.Context, c corpus.Cell) ([]Summary, time.Duration, error) {
	summaries := make([]Summary, len(r.Rules))
	world, err := worldVersion(c, r.Split)
	if err != nil {
		return nil, 0, err
	}
	var missing []corpus.Rule
	var place []int
	for i, rule := range r.Rules {
		known, err := r.read(c, rule)
		if err != nil {
			return nil, 0, err
		}
		if known.Rollouts == r.Rollouts && known.Version == rule.Version && known.World == world {
			summaries[i] = known
			continue
		}
		missing, place = append(missing, rule), append(place, i)
	}
	if len(missing) == 0 {
		return summaries, 0, nil
	}
	began := time.Now()
	results, err := r.play(ctx, c, missing)
	if err != nil {
		return nil, 0, err
	}
	for i, rule := range missing {
		s := Summarize(c, rule, world, results[i])
		if err := r.write(c, rule, s); err != nil {
			return nil, 0, err
		}
		summaries[place[i]] = s
	}
	return summaries, time.Since(began), nil
}

// play plays the worlds of a cell, several at the same time, and returns the results
// by rule.
func (r Run) play(ctx context.Context, c corpus.Cell, rules []corpus.Rule) ([][]corpus.Result, error) {
	results := make([][]corpus.Result, len(rules))
	for i := range results {
		results[i] = make([]corpus.Result, r.Rollouts)
	}
	workers := r.Workers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	var next atomic.Int64
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for ctx.Err() == nil {
				n := int(next.Add(1)) - 1
				if n >= r.Rollouts {
					return
				}
				for i, result := range corpus.Play(corpus.NewWorld(c, r.Split, n), rules) {
					results[i][n] = result
				}
			}
		})
	}
	all.Wait()
	return results, ctx.Err()
}

func (r Run) path(c corpus.Cell, rule corpus.Rule) string {
	plain := strings.NewReplacer("/", "_", "%", "pc").Replace
	return filepath.Join(r.Dir, plain(rule.Name), plain(c.Name)+".json")
}

// read returns a kept summary, or none.
func (r Run) read(c corpus.Cell, rule corpus.Rule) (Summary, error) {
	var s Summary
	data, err := os.ReadFile(r.path(c, rule))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return Summary{}, nil // of a run that was killed in the middle of a write: it is made again
	}
	return s, nil
}

func (r Run) write(c corpus.Cell, rule corpus.Rule, s Summary) error {
	data, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode the result of %s in %s: %w", rule.Name, c.Name, err)
	}
	path := r.path(c, rule)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

// worldVersion changes whenever a cell's worlds may.
func worldVersion(c corpus.Cell, split corpus.Split) (string, error) {
	cell, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("encode cell %s: %w", c.Name, err)
	}
	h := sha256.Sum256(fmt.Appendf(cell, "%d %s %s", split, corpus.Version(), corpus.Horizon))
	return hex.EncodeToString(h[:6]), nil
}

// SourceVersion returns a hash of the Go files, tests aside, that are below folders or
// are named, in the module at root. It is a rule's version where the rule is this
// module's own code.
func SourceVersion(root string, paths ...string) (string, error) {
	h := sha256.New()
	for _, path := range paths {
		err := filepath.WalkDir(filepath.Join(root, path), func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
				return err
			}
			data, err := os.ReadFile(file)
			fmt.Fprintf(h, "%d ", len(data))
			_, _ = h.Write(data) // a hash takes everything
			return err
		})
		if err != nil {
			return "", fmt.Errorf("hash the source that judges: %w", err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:6]), nil
}
