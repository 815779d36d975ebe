package judge

import "math"

// A table's normalising sum is a polynomial in the odds ratio. One of few terms,
// as of the seconds of a small site, is worked out once and serves for many
// ratios: that makes a judge cheap.
const (
	termsMost  = 16
	termsRange = 1e60 // terms within it, the first being 1, do not overflow at ratios up to 1e15
)

// polynomial is Z(w) of a table, up to a factor without w: the sum over k of
// terms[k] w^(low+k).
type polynomial struct {
	low   int
	terms [termsMost]float64
	n     int // terms in use; 0 when the table has too many of them
}

// polynomialOf returns the table's polynomial. Each term is the one before times
// (nc-k)/(k+1) (y-k)/(ns-y+k+1), as in logZ.
func polynomialOf(t table) (p polynomial) {
	nc, ns, y := t.n[canary], t.n[stable], t.y[canary]+t.y[stable]
	p.low = max(0, y-ns)
	high := min(nc, y)
	if high-p.low >= termsMost {
		return p
	}
	term := 1.0
	p.terms[0] = term
	for k := p.low; k < high; k++ {
		term *= (float64(nc-k) / float64(k+1)) * (float64(y-k) / float64(ns-y+k+1))
		if !(term < termsRange && term > 1/termsRange) {
			return p
		}
		p.terms[k-p.low+1] = term
	}
	p.n = high - p.low + 1
	return p
}

// at returns the log likelihood of the table at the odds ratio w up to a term
// without w, like [table.logLikelihood]. logW is the log of w.
func (p *polynomial) at(t table, w, logW float64) float64 {
	if p.n == 0 {
		return t.logLikelihood(w)
	}
	sum := p.terms[p.n-1]
	for k := p.n - 2; k >= 0; k-- {
		sum = sum*w + p.terms[k]
	}
	return float64(t.y[canary]-p.low)*logW - math.Log(sum)
}

// compare adds to logE, for each of the odds ratios, the log likelihood of the
// table at it less that at base.
func (t table) compare(base float64, ratios, logE []float64) {
	p := polynomialOf(t)
	from := p.at(t, base, math.Log(base))
	for i, w := range ratios {
		logE[i] += p.at(t, w, math.Log(w)) - from
	}
}
