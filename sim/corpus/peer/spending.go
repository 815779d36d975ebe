package peer

import "math"

// spending is an alpha spending function: how much of alpha may be spent when the
// fraction t (0 to 1) of the information is there.
type spending func(alpha, t float64) float64

// obrienFleming spends little early. Lan & DeMets, Biometrika 70 (1983), 659-663:
// 2 - 2 Phi(z(alpha/2) / sqrt(t)), with alpha one-sided as in gsDesign's sfLDOF.
func obrienFleming(alpha, t float64) float64 {
	return 2 * upperTail(upperPoint(alpha/2)/math.Sqrt(t))
}

// pocock spends evenly. Lan & DeMets (1983): alpha ln(1 + (e-1) t).
func pocock(alpha, t float64) float64 { return alpha * math.Log(1+(math.E-1)*t) }

// spendingBounds returns the critical values of the standardised statistic at equally
// spaced looks, one-sided: the probability to exceed any is alpha when there is no
// difference. It follows the statistic as a Brownian motion from look to look by
// numerical integration (Armitage, McPherson & Rowe, JRSS A 132, 1969; Reboussin,
// DeMets, Kim & Lan, Controlled Clinical Trials 21, 2000).
func spendingBounds(spend spending, alpha float64, looks int) []float64 {
	step := math.Sqrt(1 / float64(looks)) // deviation of an increment
	bounds := make([]float64, looks)
	paths := pathDensity{from: []float64{0}, mass: []float64{1}, step: step}
	spent := 0.0
	for k := range bounds {
		t := float64(k+1) / float64(looks)
		allowed := spend(alpha, t)
		crossing := paths.crossing(allowed - spent)
		bounds[k] = crossing / math.Sqrt(t)
		spent = allowed
		paths = paths.next(crossing, -9*math.Sqrt(t))
	}
	return bounds
}

// pathDensity is where paths that crossed no bound are: points with their mass.
type pathDensity struct {
	from, mass []float64
	step       float64
}

// above returns the mass that is above a value at the next look.
func (d *pathDensity) above(value float64) float64 {
	sum := 0.0
	for i, from := range d.from {
		sum += d.mass[i] * upperTail((value-from)/d.step)
	}
	return sum
}

// crossing returns the value above which the given mass is at the next look.
func (d *pathDensity) crossing(mass float64) float64 {
	low, high := -10.0, 10.0
	for range 60 {
		middle := (low + high) / 2
		if d.above(middle) > mass {
			low = middle
		} else {
			high = middle
		}
	}
	return (low + high) / 2
}

// next returns the paths that are below the bound at the next look, by Simpson's rule
// from a value with no mass below it.
func (d *pathDensity) next(bound, least float64) pathDensity {
	const intervals = 600
	width := (bound - least) / intervals
	out := pathDensity{step: d.step}
	for i := range intervals + 1 {
		at := least + float64(i)*width
		density := 0.0
		for j, from := range d.from {
			density += d.mass[j] * normalDensity((at-from)/d.step) / d.step
		}
		weight := 2.0
		switch {
		case i == 0 || i == intervals:
			weight = 1
		case i%2 == 1:
			weight = 4
		}
		out.from = append(out.from, at)
		out.mass = append(out.mass, density*weight*width/3)
	}
	return out
}
