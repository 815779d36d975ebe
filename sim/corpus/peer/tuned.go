package peer

import (
	_ "embed" // of the tuner's choices
	"encoding/json"
	"fmt"
	"slices"

	"github.com/fairlead/fairlead/sim/corpus"
)

// Choices are what the tuner found, as it writes them to tuned.json.
type Choices struct {
	Command  string   `json:"command"`  // that made the file
	Corpus   string   `json:"corpus"`   // version of the worlds
	Cells    int      `json:"cells"`    // of the corpus
	Rollouts int      `json:"rollouts"` // of a cell, on the split for tuning
	Choices  []Choice `json:"choices"`
}

// Choice is the best setting of a peer.
type Choice struct {
	Peer   string  `json:"peer"`
	Rule   string  `json:"rule"`   // of the peer's grid or documented ones
	Excess float64 `json:"excess"` // user-visible failures, geometric mean over fault cells
	False  int     `json:"false"`  // good rollouts that it rolled back
	Good   int     `json:"good"`   // of so many
	Met    bool    `json:"met"`    // at most 1 % were; if false, no setting reached that, and this is the one with the fewest
}

//go:embed tuned.json
var tuned []byte

// Tuned returns each peer at its best setting, named such as flagger/tuned.
func Tuned() ([]corpus.Rule, error) {
	var found Choices
	if err := json.Unmarshal(tuned, &found); err != nil {
		return nil, fmt.Errorf("read the tuned settings of peers: %w", err)
	}
	var rules []corpus.Rule
	for _, choice := range found.Choices {
		rule, ok := find(choice)
		if !ok {
			return nil, fmt.Errorf("tuned setting %s is not one of %s's: tune again (%s)", choice.Rule, choice.Peer, found.Command)
		}
		rule.Version += " " + rule.Name
		rule.Name = choice.Peer + "/tuned"
		rules = append(rules, rule)
	}
	return rules, nil
}

func find(choice Choice) (corpus.Rule, bool) {
	for _, p := range All() {
		if p.Name != choice.Peer {
			continue
		}
		all := slices.Concat(p.Rules, p.Grid)
		i := slices.IndexFunc(all, func(r corpus.Rule) bool { return r.Name == choice.Rule })
		if i >= 0 {
			return all[i], true
		}
	}
	return corpus.Rule{}, false
}
