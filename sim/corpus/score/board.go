package score

import (
	"math"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/sim/corpus"
)

// Own is the name of Fairlead's rule.
const Own = "fairlead"

// Tuned ends the names of rules whose settings were tuned.
const Tuned = "/tuned"

// Board is a comparison's outcome.
type Board struct {
	Profile  string     `json:"profile"`
	Rollouts int        `json:"rollouts"` // a cell
	Cells    int        `json:"cells"`
	Faults   int        `json:"faultCells"`
	Hours    float64    `json:"hours,omitempty"` // that the run took
	Rows     []Row      `json:"rules"`           // the least harm first
	Kinds    []Contest  `json:"contests"`        // Fairlead beside the best-tuned peer, fault by fault and rate by rate
	Goals    []Goal     `json:"goals"`
	Validity []Validity `json:"validity,omitempty"`
	Lost     []Loss     `json:"lost"` // where Fairlead does worse than a peer that seldom gives false alarms

	cells     []corpus.Cell
	summaries map[[2]string]Summary // by rule and cell
}

// Row is what one rule did over all cells.
type Row struct {
	Rule      string  `json:"rule"`
	Excess    float64 `json:"excess"`    // user-visible failures a faulty rollout, weighted geometric mean over fault cells of 1 + mean
	Caught    float64 `json:"caught"`    // weighted share of faulty rollouts that were rolled back
	Wrong     float64 `json:"wrong"`     // and that were promoted
	Delay     float64 `json:"delay"`     // seconds, median over fault cells of their median delay; +Inf is written as -1
	False     int     `json:"false"`     // good rollouts that were rolled back
	Good      int     `json:"good"`      // of so many
	FalseLow  float64 `json:"falseLow"`  // 95 % Clopper-Pearson
	FalseHigh float64 `json:"falseHigh"` //
	Worst     string  `json:"worst"`     // the cell with most false rollbacks
	WorstRate float64 `json:"worstRate"` // and their share there
	Promoted  float64 `json:"promoted"`  // share of good rollouts that were promoted
}

// NewBoard makes the board of summaries of cells.
func NewBoard(profile string, rollouts int, cells []corpus.Cell, summaries []Summary) *Board {
	b := &Board{Profile: profile, Rollouts: rollouts, Cells: len(cells), cells: cells, summaries: map[[2]string]Summary{}}
	var rules []string
	for _, s := range summaries {
		if !slices.Contains(rules, s.Rule) {
			rules = append(rules, s.Rule)
		}
		b.summaries[[2]string{s.Rule, s.Cell}] = s
	}
	for _, c := range cells {
		if !c.Good {
			b.Faults++
		}
	}
	for _, rule := range rules {
		b.Rows = append(b.Rows, b.row(rule))
	}
	slices.SortStableFunc(b.Rows, func(x, y Row) int { return compare(x.Excess, y.Excess) })
	b.Goals = b.goals()
	b.Kinds = b.contests()
	b.Lost = b.losses()
	return b
}

func compare(x, y float64) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

func (b *Board) row(rule string) Row {
	r := Row{Rule: rule, WorstRate: -1}
	logs, weights := 0.0, 0.0
	var delays []float64
	promoted := 0
	for _, c := range b.cells {
		s, known := b.summaries[[2]string{rule, c.Name}]
		if !known || s.Rollouts == 0 {
			continue
		}
		n := float64(s.Rollouts)
		if c.Good {
			r.False, r.Good, promoted = r.False+s.RolledBack, r.Good+s.Rollouts, promoted+s.Promoted
			if rate := float64(s.RolledBack) / n; rate > r.WorstRate {
				r.Worst, r.WorstRate = c.Name, rate
			}
			continue
		}
		weights += c.Weight
		logs += c.Weight * math.Log(1+max(0, s.Excess))
		r.Caught += c.Weight * float64(s.RolledBack) / n
		r.Wrong += c.Weight * float64(s.Promoted) / n
		if s.Delay.P50 != nil {
			delays = append(delays, *s.Delay.P50)
		} else {
			delays = append(delays, math.Inf(1))
		}
	}
	if weights > 0 {
		r.Excess, r.Caught, r.Wrong = math.Exp(logs/weights), r.Caught/weights, r.Wrong/weights
	}
	slices.Sort(delays)
	if r.Delay = -1; len(delays) > 0 && !math.IsInf(delays[len(delays)/2], 1) {
		r.Delay = delays[len(delays)/2]
	}
	r.FalseLow, r.FalseHigh = ClopperPearson(r.False, r.Good, 0.05)
	if r.Good > 0 {
		r.Promoted = float64(promoted) / float64(r.Good)
	}
	return r
}

// find returns a rule's row.
func (b *Board) find(rule string) (Row, bool) {
	i := slices.IndexFunc(b.Rows, func(r Row) bool { return r.Rule == rule })
	if i < 0 {
		return Row{}, false
	}
	return b.Rows[i], true
}

// Best returns the best-tuned peer: the one with the least harm of those whose false
// rollbacks agree with at most Few. Without tuned ones, it is one of all peers.
func (b *Board) Best() (Row, bool) {
	for _, only := range []string{Tuned, ""} {
		for _, r := range b.Rows {
			if r.Rule != Own && strings.HasSuffix(r.Rule, only) && r.FalseLow <= b.Few() {
				return r, true
			}
		}
	}
	return Row{}, false
}

// Contest is one fault at one rate: Fairlead and the best-tuned peer.
type Contest struct {
	Kind      string   `json:"kind"`
	Rate      float64  `json:"rate"`
	Harm      string   `json:"harm"`
	Own       float64  `json:"own"`       // user-visible failures because of it, mean of a rollout
	Peer      float64  `json:"peer"`      // under the best-tuned peer
	OwnDelay  *float64 `json:"ownDelay"`  // seconds, median; nil is never
	PeerDelay *float64 `json:"peerDelay"` //
	OwnCaught float64  `json:"ownCaught"` // share that was rolled back
	Caught    float64  `json:"peerCaught"`
}

func (b *Board) contests() []Contest {
	best, known := b.Best()
	if !known {
		return nil
	}
	var all []Contest
	for _, c := range b.cells {
		own, one := b.summaries[[2]string{Own, c.Name}]
		peer, two := b.summaries[[2]string{best.Rule, c.Name}]
		again := slices.ContainsFunc(all, func(k Contest) bool { return k.Kind == c.Kind && k.Rate == c.Traffic.Rate })
		if c.Good || !one || !two || again {
			continue // of several kinds of traffic the first is shown; all count above
		}
		all = append(all, Contest{
			Kind: c.Kind, Rate: c.Traffic.Rate, Harm: string(c.Harm), Own: own.Excess, Peer: peer.Excess,
			OwnDelay: own.Delay.P50, PeerDelay: peer.Delay.P50,
			OwnCaught: float64(own.RolledBack) / float64(own.Rollouts), Caught: float64(peer.RolledBack) / float64(peer.Rollouts),
		})
	}
	return all
}

// Loss is a cell where a peer whose false alarms are few does better.
type Loss struct {
	Cell string  `json:"cell"`
	Peer string  `json:"peer"` // the best of them
	Own  float64 `json:"own"`  // user-visible failures, mean of a rollout
	Is   float64 `json:"is"`   // the peer's
}

// fewAlarms is the share of false rollbacks up to which a peer counts in any case.
const fewAlarms = 0.01

// Few is the share of false rollbacks up to which a peer counts as one to be beaten:
// fewAlarms, or Fairlead's own share if that is more. Nobody is left out for what
// Fairlead does too.
func (b *Board) Few() float64 {
	own, _ := b.find(Own)
	return max(fewAlarms, share(own.False, own.Good))
}

// losses are the fault cells where a peer does clearly less harm: by more than two
// standard errors and one failure.
func (b *Board) losses() []Loss {
	var all []Loss
	for _, c := range b.cells {
		own, known := b.summaries[[2]string{Own, c.Name}]
		if c.Good || !known {
			continue
		}
		least := Loss{Cell: c.Name, Own: own.Excess, Is: math.Inf(1)}
		for _, r := range b.Rows {
			s, known := b.summaries[[2]string{r.Rule, c.Name}]
			if r.Rule == Own || !known || float64(r.False) > b.Few()*float64(r.Good) {
				continue
			}
			gap := own.Excess - s.Excess
			error := math.Sqrt((own.ExcessSD*own.ExcessSD + s.ExcessSD*s.ExcessSD) / float64(max(own.Rollouts, 1)))
			if gap > 1 && gap > 2*error && s.Excess < least.Is {
				least.Peer, least.Is = r.Rule, s.Excess
			}
		}
		if least.Peer != "" {
			all = append(all, least)
		}
	}
	return all
}
