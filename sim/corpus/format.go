package corpus

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"time"
)

// Format of written worlds and decisions; see docs/reference/corpus.md.
const Format = "fairlead-corpus-1"

// header is a written world's first line.
type header struct {
	Format   string  `json:"format"`
	Version  string  `json:"version"`
	Cell     string  `json:"cell"`
	App      string  `json:"app"`
	Split    Split   `json:"split"`
	World    int     `json:"world"`
	Traffic  Traffic `json:"traffic"`
	Deadline float64 `json:"deadline"` // seconds
	Past     float64 `json:"past"`     // seconds before the rollout, all on the old release
}

// line is a written request.
type line struct {
	At     float64 `json:"t"`    // seconds since the beginning of the rollout
	Unit   string  `json:"unit"` // 16 hexadecimal digits
	Place  float64 `json:"u"`    // on the new release if below its weight
	Tenant uint16  `json:"tenant"`
	Route  uint8   `json:"route"`
	Stable side    `json:"stable"`
	Canary *side   `json:"canary,omitempty"` // where it is another than stable
}

// side is what one release makes of a request.
type side struct {
	Latency float64 `json:"latency"` // seconds
	First   float64 `json:"first"`
	Outcome string  `json:"outcome"`
	Wrong   bool    `json:"wrong,omitempty"`
	Refused bool    `json:"refused,omitempty"`
	BadTool bool    `json:"badTool,omitempty"`
	Tokens  uint32  `json:"tokens,omitempty"`
	Cost    float64 `json:"cost,omitempty"`
	Quality float64 `json:"quality,omitempty"`
}

func sideOf(r *Request) side {
	round := func(d time.Duration) float64 { return math.Round(d.Seconds()*1e6) / 1e6 }
	return side{
		Latency: round(r.Latency), First: round(r.First), Outcome: r.Outcome.String(), Wrong: r.Wrong, Refused: r.Refused,
		BadTool: r.BadTool, Tokens: r.Tokens, Cost: math.Round(float64(r.Cost)*1e5) / 1e5, Quality: math.Round(float64(r.Quality)*1e4) / 1e4,
	}
}

// Write writes the n-th world of a cell, up to until, as gzip of JSON lines. Cells
// whose outcomes follow the instance that a request meets cannot be written, since
// that depends on the weights that a judge chooses.
func Write(to io.Writer, c Cell, split Split, n int, until time.Duration) error {
	if c.perInstance() {
		return fmt.Errorf("write %s: what happens there depends on instances, and so on the judge's weights; it can only be played", c.Name)
	}
	zip := gzip.NewWriter(to)
	out := bufio.NewWriter(zip)
	encode := json.NewEncoder(out)
	w := NewWorld(c, split, n)
	err := encode.Encode(header{
		Format: Format, Version: Version(), Cell: c.Name, App: c.App, Split: split, World: n, Traffic: c.Traffic,
		Deadline: Deadline.Seconds(), Past: Past.Seconds(),
	})
	for w.now < until && err == nil {
		if w.now == 0 {
			w.number = 0
		}
		for i, pairs := 0, w.tick(); i < len(pairs) && err == nil; i++ {
			err = encode.Encode(w.line(&pairs[i]))
		}
	}
	return errors.Join(err, out.Flush(), zip.Close())
}

func (w *World) line(p *pair) line {
	place := float64(mix(p.unit, 5)>>11) / (1 << 53)
	if w.cell.Trouble.Mismatch { // where the weight is such that the unit is taken
		if place = place / 1.3; place > 0.5 {
			place = 1 - (1-place*1.3)/0.7
		}
	}
	l := line{
		At: math.Round(p.at.Seconds()*1e6) / 1e6, Unit: fmt.Sprintf("%016x", p.unit), Place: place,
		Tenant: p.tenant, Route: p.route, Stable: sideOf(&p.on[Stable]),
	}
	if canary := sideOf(&p.on[Canary]); p.at >= 0 && canary != l.Stable {
		l.Canary = &canary
	}
	return l
}

// step is a line of a decisions file.
type step struct {
	Cell   string  `json:"cell"`
	World  int     `json:"world"`
	At     float64 `json:"t"` // seconds since the beginning
	Weight float64 `json:"weight"`
	State  string  `json:"state,omitempty"` // running, promoted, rolledBack or finished
}

// Decisions are another tool's, by cell and world.
type Decisions map[string]map[int][]step

// maxDecisions bounds a file of a stranger.
const maxDecisions = 10_000_000

// ReadDecisions reads JSON lines: one for each change of a weight or a state, in
// order of time within a world. Cells that do not exist and worlds that are left out
// are errors: nobody should take a score of less than was decided for one of all.
func ReadDecisions(from io.Reader) (Decisions, error) {
	all := Decisions{}
	decode := json.NewDecoder(from)
	decode.DisallowUnknownFields()
	for n := 1; ; n++ {
		var s step
		err := decode.Decode(&s)
		if errors.Is(err, io.EOF) {
			return all, all.complete()
		}
		if err == nil {
			err = all.add(s, n)
		}
		if err != nil {
			return nil, fmt.Errorf("decisions, line %d: %w", n, err)
		}
	}
}

func (d Decisions) add(s step, n int) error {
	if _, known := states()[s.State]; !known {
		return fmt.Errorf("state %q is none of running, promoted, rolledBack and finished", s.State)
	}
	if !(s.Weight >= 0 && s.Weight <= 1) || !(s.At >= 0 && s.At <= Horizon.Seconds()) || s.World < 0 || n > maxDecisions {
		return fmt.Errorf("want a weight of 0 to 1, a time of 0 to %g s, a world from 0 and at most %d lines", Horizon.Seconds(), maxDecisions)
	}
	if d[s.Cell] == nil {
		d[s.Cell] = map[int][]step{}
	}
	before := d[s.Cell][s.World]
	if len(before) > 0 && before[len(before)-1].At > s.At {
		return fmt.Errorf("time goes back from %g to %g s", before[len(before)-1].At, s.At)
	}
	d[s.Cell][s.World] = append(before, s)
	return nil
}

// complete reports a cell that does not exist, and a world that is left out.
func (d Decisions) complete() error {
	known := map[string]bool{}
	for _, c := range Cells() {
		known[c.Name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(d)) {
		if !known[name] {
			return fmt.Errorf("decisions: no cell is called %q; list them with: go run ./sim/corpus/cmd cells", name)
		}
		if n := d.Worlds(name); n < len(d[name]) {
			return fmt.Errorf("decisions: world %d of %s is left out; worlds are 0, 1, 2 and so on", n, name)
		}
	}
	return nil
}

func states() map[string]State {
	return map[string]State{"": Running, "running": Running, "promoted": Promoted, "rolledBack": RolledBack, "finished": Finished}
}

// Worlds returns the worlds of a cell that have decisions: as many as there are from
// 0 on without a gap.
func (d Decisions) Worlds(cell string) int {
	n := 0
	for d[cell][n] != nil {
		n++
	}
	return n
}

// Play plays a world of a cell with the decisions.
func (d Decisions) Play(c Cell, split Split, n int) Result {
	rule := Rule{New: func(Start) Judge { return &script{steps: d[c.Name][n]} }}
	return Play(NewWorld(c, split, n), []Rule{rule})[0]
}

// script is a judge that does what was decided elsewhere.
type script struct {
	steps []step
	now   Decision
}

// Second implements Judge.
func (j *script) Second(s *Second) Decision {
	for len(j.steps) > 0 && j.steps[0].At <= s.Now.Seconds() {
		next := j.steps[0]
		j.now, j.steps = Decision{Weight: next.Weight, State: states()[next.State]}, j.steps[1:]
	}
	return j.now
}
