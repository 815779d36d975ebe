package peer

import (
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/sim/corpus"
)

func TestEveryRuleHasANameOfItsPeerASourceAndAVersion(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range All() {
		for _, r := range slices.Concat(p.Rules, p.Grid) {
			if seen[r.Name] || !strings.HasPrefix(r.Name, p.Name+"/") || r.Source == "" || r.Version == "" {
				t.Errorf("rule %q of %s: the name is taken or not the peer's, or there is no source or version", r.Name, p.Name)
			}
			seen[r.Name] = true
		}
	}
}

func TestTunedSettingsAreInTheGrids(t *testing.T) {
	if _, err := Tuned(); err != nil {
		t.Error(err)
	}
}

// BenchmarkObserving is what all documented rules need for a second of 100 requests.
func BenchmarkObserving(b *testing.B) {
	for _, rule := range Documented() {
		b.Run(rule.Name, func(b *testing.B) {
			j := rule.New(known())
			s := corpus.Second{Ended: flow{requests: 10}.ended(0, &[2]int{})}
			for b.Loop() {
				j.Second(&s)
			}
		})
	}
}
