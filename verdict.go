package fairlead

// Finding is what the judge concluded.
type Finding string

// The findings. Harmful beats safe in the same block.
const (
	Safe         Finding = "safe"
	Harmful      Finding = "harmful"
	Inconclusive Finding = "inconclusive"
)

// Verdict is a finding with the evidence that decided it. E-values are at most
// 1e300 and never NaN.
type Verdict struct {
	Finding Finding `json:"finding"`
	Signal  string  `json:"signal,omitempty"`  // which evidence decided, such as "failures"
	E       float64 `json:"e"`                 // its e-value
	Needed  float64 `json:"needed"`            // the threshold it has reached, or has yet to reach
	Blocked string  `json:"blocked,omitempty"` // why safe cannot be concluded now, such as a gap
}
