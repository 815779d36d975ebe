package judge

import "math"

// safetyRatios are the odds ratios for which safety is tested. Those not below
// the margin are left out.
var safetyRatios = [...]float64{0.7, 1, 1.15}

// safety is the evidence of one protected signal, in one step, that the canary
// is not worse than the margins: the mean of two e-processes, each for one null
// hypothesis. A canary beyond both margins is in both nulls, so the mean is an
// e-process too; taking whichever reaches the threshold first would double the
// error.
type safety struct {
	ratio    *ratioSafety
	absolute *absoluteSafety
	mean     float64 // log of the mean of the two
}

func newSafety(c Config) *safety {
	return &safety{ratio: newRatioSafety(c.MarginRatio), absolute: newAbsoluteSafety(c.MarginAbsolute)}
}

// owe lets fresh evidence begin at a log wealth of less than 0.
func (s *safety) owe(log float64) {
	for i := range s.ratio.logE {
		s.ratio.logE[i] = log
	}
	s.absolute.logE, s.mean = log, log
}

// table takes a test block whose outcomes are all known.
func (s *safety) table(t table) {
	s.ratio.table(t)
	s.absolute.table(t)
	s.mean = logAddExp(s.ratio.log(), s.absolute.logE) - math.Ln2
}

// log returns the log of the e-value.
func (s *safety) log() float64 { return s.mean }

// ratioSafety is the e-process against "the odds ratio is at least the margin":
// the test of harm turned round.
type ratioSafety struct {
	margin float64
	ratios []float64
	logE   []float64 // by ratio
}

func newRatioSafety(margin float64) *ratioSafety {
	r := &ratioSafety{margin: margin}
	for _, w := range safetyRatios {
		if w < margin {
			r.ratios = append(r.ratios, w)
		}
	}
	if r.ratios == nil {
		r.ratios = []float64{margin / 2}
	}
	r.logE = make([]float64, len(r.ratios))
	return r
}

func (r *ratioSafety) table(t table) {
	if !t.informs() {
		return
	}
	t.compare(r.margin, r.ratios, r.logE)
}

func (r *ratioSafety) log() float64 { return logMeanExp(r.logE) }

// absoluteSafety is the e-process against "the canary's risk is at least the
// stable's plus delta" (Turner & Grunwald, AISTATS 2023). A block's e-value is
// the likelihood of an alternative (pc, ps) inside the safe region over that of
// its reverse information projection (qc, qs) on the null: the point of the null
// at which nc KL(pc|qc) + ns KL(ps|qs) is least. It lies on the boundary
// qc = qs + delta.
//
// That this one point serves against the whole null {rc >= rs + delta} is seen
// so. Under (rc, rs) the mean of the e-value is fc^nc fs^ns with
// f = 1 + (r-q) a, a = (p-q)/(q(1-q)). Since log f <= (r-q) a, its log is at
// most nc (rc-qc) ac + ns (rs-qs) as. But -n a is the derivative of n KL(p|q)
// in q, and q is the least of a convex function on a convex set, so that this
// sum is at most 0 for each point of the set. The same holds for units of
// unequal risk, with their means for rc and rs.
//
// The alternative is estimated from earlier blocks of the step: it may depend on
// the past, not on the block.
type absoluteSafety struct {
	delta float64
	logE  float64
	n, y  [2]float64 // of earlier blocks
}

func newAbsoluteSafety(delta float64) *absoluteSafety {
	return &absoluteSafety{delta: min(max(delta, 0), 0.99)}
}

func (a *absoluteSafety) table(t table) {
	if pc, ps, ok := a.alternative(); ok {
		a.logE += logAbsolute(t, pc, ps, a.delta)
	}
	for arm := range t.n {
		a.n[arm] += float64(t.n[arm])
		a.y[arm] += float64(t.y[arm])
	}
}

// learning is how many units of a step only teach the alternative: a guess could cost
// more than they can earn.
const learning = 100

// alternative returns each arm's risk, drawn towards that of both as if by 200
// units, so that few hits do not mislead. It abstains while the step learns.
func (a *absoluteSafety) alternative() (pc, ps float64, ok bool) {
	n, y := a.n[stable]+a.n[canary], a.y[stable]+a.y[canary]
	if n < learning {
		return 0, 0, false
	}
	const pull = 200
	both := (y + 0.5) / (n + 1)
	pc = (a.y[canary] + pull*both) / (a.n[canary] + pull)
	ps = (a.y[stable] + pull*both) / (a.n[stable] + pull)
	return pc, ps, true
}

// logAbsolute returns the log e-value of a block for the alternative (pc, ps),
// both strictly between 0 and 1; 0 when that is not inside the safe region.
func logAbsolute(t table, pc, ps, delta float64) float64 {
	if t.n[canary] == 0 || t.n[stable] == 0 || pc >= ps+delta {
		return 0
	}
	qc, qs := project(t.n, pc, ps, delta)
	arm := func(n, y int, p, q float64) float64 {
		return float64(y)*math.Log(p/q) + float64(n-y)*math.Log((1-p)/(1-q))
	}
	return arm(t.n[canary], t.y[canary], pc, qc) + arm(t.n[stable], t.y[stable], ps, qs)
}

// project returns the point (qs+delta, qs) that is nearest to (pc, ps) in the
// sense of absoluteSafety. The derivative of the distance rises with qs, is
// negative where qc = pc and positive where qs = ps: its root lies in between,
// and is found by Newton's steps, or by halving where these leave the bracket.
func project(n [2]int, pc, ps, delta float64) (qc, qs float64) {
	low, high := max(0, pc-delta), min(ps, 1-delta)
	nc, ns := float64(n[canary]), float64(n[stable])
	qs = low + (high-low)/2
	for range 80 {
		qc = qs + delta
		vc, vs := qc*(1-qc), qs*(1-qs)
		slope := nc*(qc-pc)/vc + ns*(qs-ps)/vs
		if slope < 0 {
			low = qs
		} else {
			high = qs
		}
		bend := nc*((qc-pc)*(qc-pc)+pc*(1-pc))/(vc*vc) + ns*((qs-ps)*(qs-ps)+ps*(1-ps))/(vs*vs)
		next := qs - slope/bend
		if !(next > low && next < high) {
			next = low + (high-low)/2
		}
		if math.Abs(next-qs) <= 1e-14*qs || next <= low || next >= high {
			break
		}
		qs = next
	}
	qs = max(qs, 1e-300)
	return min(qs+delta, 1-1e-15), qs
}
