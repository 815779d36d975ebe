package peer

import (
	"errors"
	"math"
	"slices"
)

// shiftInterval is the Hodges-Lehmann estimate of how much the first sample is above
// the second, with its confidence interval.
type shiftInterval struct{ low, high, estimate float64 }

var errAllTied = errors.New("all observations are tied") // no interval can be given

// mannWhitney returns the shift of x against y by the Mann-Whitney (Wilcoxon rank sum)
// test: the shifts at which the standardised rank sum of x-shift among y, in the normal
// approximation with continuity correction and correction for ties, is within the
// two-sided critical values of the level. Both samples must not be empty; they are
// sorted in place.
//
// It is the method of R's wilcox.test(conf.int=TRUE, exact=FALSE), which Kayenta's
// kayenta-mannwhitney states as its own. Source: Hollander & Wolfe, Nonparametric
// Statistical Methods (1973), pages 68 to 79; Bauer, JASA 67 (1972).
func mannWhitney(x, y []float64, level float64) (shiftInterval, error) {
	slices.Sort(x)
	slices.Sort(y)
	least, most := x[0]-y[len(y)-1], x[len(x)-1]-y[0]
	critical := upperPoint((1 - level) / 2)
	var out shiftInterval
	for _, bound := range []struct {
		at *float64
		z  float64
	}{{&out.low, critical}, {&out.high, -critical}, {&out.estimate, 0}} {
		root, err := shiftAt(x, y, least, most, bound.z)
		if err != nil {
			return shiftInterval{}, err
		}
		*bound.at = root
	}
	return out, nil
}

// shiftAt finds where the statistic, which falls with the shift, passes z.
func shiftAt(x, y []float64, least, most, z float64) (float64, error) {
	low, err := rankStatistic(x, y, least)
	if err != nil || low <= z {
		return least, err
	}
	high, err := rankStatistic(x, y, most)
	if err != nil || high >= z {
		return most, err
	}
	for range 60 {
		middle := least + (most-least)/2
		at, err := rankStatistic(x, y, middle)
		if err != nil {
			return 0, err
		}
		if at > z {
			least = middle
		} else {
			most = middle
		}
	}
	return least + (most-least)/2, nil
}

// rankStatistic returns the standardised rank sum of x-shift among y.
func rankStatistic(x, y []float64, shift float64) (float64, error) {
	u, ties := rankSum(x, y, shift)
	n, m := float64(len(x)), float64(len(y))
	distance := u - n*m/2
	if distance != 0 {
		distance -= math.Copysign(0.5, distance)
	}
	all := n + m
	variance := n * m / 12 * (all + 1 - ties/(all*(all-1)))
	if variance <= 0 {
		return 0, errAllTied
	}
	return distance / math.Sqrt(variance), nil
}

// rankSum returns U, the number of pairs in which x-shift is above y (half for equal
// ones), and the sum of t^3-t over the groups of t equal values. x and y are sorted.
func rankSum(x, y []float64, shift float64) (u, ties float64) {
	for i, j := 0, 0; i < len(x) || j < len(y); {
		value := math.Inf(1)
		if i < len(x) {
			value = x[i] - shift
		}
		if j < len(y) {
			value = min(value, y[j])
		}
		i0, j0 := i, j
		for i < len(x) && x[i]-shift == value {
			i++
		}
		for j < len(y) && y[j] == value {
			j++
		}
		inX, inY := float64(i-i0), float64(j-j0)
		u += inX * (float64(j0) + inY/2)
		t := inX + inY
		ties += t*t*t - t
	}
	return u, ties
}
