package judge

// The parts of the error budget alpha that kinds of evidence have.
const (
	failuresLeast = 0.5  // failures, whatever else is judged
	otherMost     = 0.25 // each other one
)

// shares returns the share of the error budget that failures have, and that of each
// of others kinds of evidence: latency with the first byte, restarts, mirrored pairs,
// and each reported signal. They sum to 1. The average of e-processes with these
// weights is an e-process, whatever their dependence, so that one budget holds over
// all.
func shares(others int) (failures, other float64) {
	if others == 0 {
		return 1, 0
	}
	other = min(otherMost, (1-failuresLeast)/float64(others))
	return 1 - other*float64(others), other
}
