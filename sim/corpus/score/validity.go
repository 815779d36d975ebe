package score

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Validity is how often one of Fairlead's promises was broken in a case where its
// conditions hold.
type Validity struct {
	Name     string  `json:"name"`
	Seen     int     `json:"seen"`
	Rollouts int     `json:"rollouts"`
	Low      float64 `json:"low"`   // 95 % Clopper-Pearson
	High     float64 `json:"high"`  //
	Bound    float64 `json:"bound"` // what is promised: at most
}

// NewValidity returns what was seen beside its interval.
func NewValidity(name string, seen, rollouts int, bound float64) Validity {
	low, high := ClopperPearson(seen, rollouts, 0.05)
	return Validity{name, seen, rollouts, low, high, bound}
}

// Holds reports whether what was seen agrees with the promise.
func (v Validity) Holds() bool { return v.Low <= v.Bound }

// Kept is where checks of the promises are kept.
type Kept struct {
	Dir     string
	Version string // of what was checked
}

// Validity returns the kept check of a case with so many rollouts, or makes and keeps
// it. It reports whether it was made.
func (k Kept) Validity(name string, rollouts int, bound float64, check func() (seen int, err error)) (v Validity, made bool, err error) {
	type record struct {
		Version string `json:"version"`
		Validity
	}
	plain := strings.NewReplacer("/", "_", "%", "pc", " ", "-", "→", "to", ",", "", ":", "").Replace(name)
	path := filepath.Join(k.Dir, plain+".json")
	var kept record
	if data, err := os.ReadFile(path); err == nil && json.Unmarshal(data, &kept) == nil && kept.Version == k.Version && kept.Rollouts == rollouts {
		return kept.Validity, false, nil
	}
	seen, err := check()
	if err != nil {
		return v, true, err
	}
	v = NewValidity(name, seen, rollouts, bound)
	data, err := json.Marshal(record{k.Version, v})
	if err != nil {
		return v, true, fmt.Errorf("encode the check of %s: %w", name, err)
	}
	if err := os.MkdirAll(k.Dir, 0o755); err != nil {
		return v, true, err
	}
	return v, true, os.WriteFile(path, data, 0o644)
}
