package score

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
