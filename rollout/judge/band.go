package judge

// BandError is the highest probability with which a band ever misses what it estimates.
const BandError = 0.05

// Band is an estimate with an interval that holds at all times at once.
type Band struct{ Estimate, Low, High float64 }
