package judge

// The parts of the error budget alpha that kinds of evidence have.
const (
	restartsShare = 0.05 // each restart speaks loudly: one more makes up for a small part
	failuresLeast = 0.5  // failures, whatever else is judged
)

// shares returns the share of the error budget that failures have, and that of each
// of others kinds of evidence: latency with the first byte, mirrored pairs, and each
// reported signal. Restarts have restartsShare; all sum to 1. The average of
// e-processes with these weights is an e-process, whatever their dependence, so that
// one budget holds over all.
func shares(others int) (failures, other float64) {
	if others == 0 {
		return 1 - restartsShare, 0
	}
	return failuresLeast, (1 - failuresLeast - restartsShare) / float64(others)
}
