package judge

import "github.com/fairlead/fairlead"

// signal is one kind of evidence as the verdict sees it: a signal of requests,
// restarts, one reading of a reported signal, or a signal of mirrored requests. A new
// kind is a new type with these methods and a line in newBudget.
type signal interface {
	title() string               // unique in a rollout
	harmful() float64            // log e-value of harm, of the whole rollout
	proven() float64             // log e-value of safety, of this step
	demanded(mirrored bool) bool // the step must prove it; mirrored: a step without traffic of its own
	report(fill *SignalReport)   // counts, effect and safety, for people
}

// requestSignal is a signal that the gateway sees by itself.
type requestSignal struct {
	j *Judge
	s fairlead.Signal
}

func (r requestSignal) title() string               { return r.s.String() }
func (r requestSignal) harmful() float64            { return r.j.harm.log(int(r.s)) }
func (r requestSignal) proven() float64             { return r.j.safe[r.s].log() }
func (r requestSignal) demanded(mirrored bool) bool { return !mirrored }

func (r requestSignal) report(fill *SignalReport) {
	safe := r.j.safe[r.s]
	fill.Stable, fill.Canary = r.j.totals.signal(int(r.s), stable), r.j.totals.signal(int(r.s), canary)
	fill.OddsRatio = r.j.estimates[r.s].ratio()
	fill.Safety = SafetyPart{E: capped(safe.log()), Ratio: capped(safe.ratio.log()), Absolute: capped(safe.absolute.logE)}
}

// restartSignal is restarts and OOM kills. They only argue for harm; Report.Restarts
// has their counts.
type restartSignal struct{ j *Judge }

func (restartSignal) title() string        { return RestartsName }
func (r restartSignal) harmful() float64   { return r.j.harm.log(restartsIndex) }
func (restartSignal) proven() float64      { return 0 }
func (restartSignal) demanded(bool) bool   { return false }
func (restartSignal) report(*SignalReport) {}

func (v *reading) title() string               { return v.name }
func (v *reading) harmful() float64            { return v.harm.log() }
func (v *reading) proven() float64             { return v.safe.log() }
func (v *reading) demanded(mirrored bool) bool { return v.protected && !mirrored }

func (v *reading) report(fill *SignalReport) {
	fill.Kind = v.kind
	for arm, to := range [2]*ArmSignal{&fill.Stable, &fill.Canary} {
		*to = ArmSignal{AtRisk: v.units[arm], Hit: v.hits[arm]}
		if n := float64(to.AtRisk); n > 0 {
			to.Rate = float64(to.Hit) / n
			if v.mean != nil || v.kind == fairlead.KindAmount {
				mean := v.sums[arm] / n
				to.Mean = &mean
			}
		}
	}
	if v.mean != nil {
		fill.Difference = v.mean.interval()
		fill.Stable.Hit, fill.Canary.Hit, fill.Stable.Rate, fill.Canary.Rate = 0, 0, 0, 0
	} else {
		fill.OddsRatio = v.odds.ratio()
	}
	fill.Safety = v.safe.part()
}

func (p *pairs) title() string {
	if p.kind == fairlead.KindPreference {
		return p.name
	}
	return p.name + " (mirrored)"
}

func (p *pairs) harmful() float64 { return p.harm.log() }
func (p *pairs) proven() float64  { return p.safe.log() }

func (p *pairs) demanded(mirrored bool) bool { return p.always || mirrored && !p.never }

func (p *pairs) report(fill *SignalReport) {
	fill.Kind = p.kind
	for arm, to := range [2]*ArmSignal{&fill.Stable, &fill.Canary} {
		*to = ArmSignal{AtRisk: p.pairs, Hit: p.lost[arm]}
		if p.pairs > 0 {
			to.Rate = float64(to.Hit) / float64(p.pairs)
		}
	}
	fill.Mirrored, fill.Preferred = true, p.odds.preferred()
	fill.Safety = SafetyPart{E: capped(p.safe.log()), Ratio: capped(p.safe.ratio.log())}
	if p.safe.absolute != nil {
		fill.Safety.Absolute = capped(p.safe.absolute.log())
	}
}
