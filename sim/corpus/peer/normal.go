package peer

import "math"

// upperTail returns the standard normal probability above z.
func upperTail(z float64) float64 { return 0.5 * math.Erfc(z/math.Sqrt2) }

// upperPoint returns the z above which the standard normal has probability p, 0 < p < 1.
func upperPoint(p float64) float64 { return math.Sqrt2 * math.Erfcinv(2*p) }

// normalDensity returns the standard normal density at z.
func normalDensity(z float64) float64 { return math.Exp(-z*z/2) / math.Sqrt(2*math.Pi) }
