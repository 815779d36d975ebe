package score

import "math"

// ClopperPearson returns the exact interval of a share of which k of n were seen,
// with the given chance to miss it, half on each side (Clopper & Pearson, "The use of
// confidence or fiducial limits", Biometrika 1934): quantiles of Beta distributions.
func ClopperPearson(k, n int, miss float64) (low, high float64) {
	if n == 0 {
		return 0, 1
	}
	low, high = 0, 1
	if k > 0 {
		low = betaQuantile(miss/2, float64(k), float64(n-k+1))
	}
	if k < n {
		high = betaQuantile(1-miss/2, float64(k+1), float64(n-k))
	}
	return low, high
}

// betaQuantile returns the x at which the Beta distribution's function is p.
func betaQuantile(p, a, b float64) float64 {
	low, high := 0.0, 1.0
	for range 200 {
		middle := (low + high) / 2
		if betaFunction(middle, a, b) < p {
			low = middle
		} else {
			high = middle
		}
	}
	return (low + high) / 2
}

// betaFunction is the regularized incomplete Beta function, by Lentz's method for its
// continued fraction (NIST Digital Library of Mathematical Functions, 8.17.22).
func betaFunction(x, a, b float64) float64 {
	if x <= 0 {
		return 0
	}
	if x >= 1 {
		return 1
	}
	if x > (a+1)/(a+b+2) { // where the fraction converges quickly
		return 1 - betaFunction(1-x, b, a)
	}
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	front := math.Exp(lab-la-lb+a*math.Log(x)+b*math.Log1p(-x)) / a
	const tiny = 1e-300
	c, d := 1.0, 1-(a+b)*x/(a+1)
	if math.Abs(d) < tiny {
		d = tiny
	}
	d = 1 / d
	f := d
	for m := 1.0; m < 10000; m++ {
		even := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		odd := -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		for _, step := range []float64{even, odd} {
			if d = 1 + step*d; math.Abs(d) < tiny {
				d = tiny
			}
			if c = 1 + step/c; math.Abs(c) < tiny {
				c = tiny
			}
			d = 1 / d
			f *= d * c
		}
		if math.Abs(d*c-1) < 1e-14 {
			break
		}
	}
	return front * f
}
