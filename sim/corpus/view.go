package corpus

import "time"

// view is a world as one judge meets it: its weights decide which of both outcomes
// happens.
type view struct {
	world  *World
	live   bool    // it wants arrivals and first bytes too
	weight float64 // as the judge wants it
	bar    uint64  // units whose hash is below it are on the new release
	lives  [2][]life
	ended  [horizonRing][]Request // to come, by the second of their end
	begun  [horizonRing][]Request // to come, by the second of their first byte
	second Second                 // handed out; used again

	excess  float64       // harm to users of the new release, less that on the old one
	canary  int           // requests that the new release got
	exposed time.Duration // first of them; negative before it
}

// horizonRing is more seconds than a request takes, stalls included.
const horizonRing = 64

func newView(w *World, live bool) *view {
	v := &view{world: w, live: live, exposed: -1}
	for arm := range v.lives {
		for n := range Replicas {
			v.lives[arm] = append(v.lives[arm], newLife(&w.cell, w.seed, arm, n))
		}
	}
	return v
}

// want sets the weight for requests that arrive from now on.
func (v *view) want(weight float64) {
	if weight == v.weight {
		return
	}
	v.weight = weight
	share := weight
	if v.world.cell.Trouble.Mismatch {
		share = mismatched(weight)
	}
	v.bar = uint64(share * (1 << 53))
}

// mismatched is the share of a new release that gets 1.3 times what was asked for.
func mismatched(weight float64) float64 {
	if weight > 0.5 {
		return 1 - (1-weight)*0.7
	}
	return weight * 1.3
}

// assigned reports whether a unit is on the new release. A unit that is stays there
// while the weight grows.
func (v *view) assigned(unit uint64) bool { return mix(unit, 5)>>11 < v.bar }

// serving is how many instances of an arm the weight needs.
func (v *view) serving(arm int) int {
	if arm == Stable {
		return Replicas
	}
	n := int(v.weight*Replicas + 0.999999)
	return min(max(n, 1), Replicas)
}

// meet returns what happens to a request at the view's weight.
func (v *view) meet(p *pair) Request {
	arm := Stable
	if v.assigned(p.unit) {
		arm = Canary
	}
	r := p.on[arm]
	count := uint64(v.serving(arm))
	r.Instance = uint8(p.u % count)
	if v.world.cell.perInstance() {
		v.through(arm, count, &r)
	}
	return r
}

// through sends a request through an instance that is up.
func (v *view) through(arm int, count uint64, r *Request) {
	for try := range count {
		n := (uint64(r.Instance) + try) % count
		l := &v.lives[arm][n]
		if l.at(r.At); l.up(r.At) {
			r.Instance = uint8(n)
			l.serve(r)
			return
		}
	}
	refuse(r)
}

// tick returns the next second, of which pairs are the requests. It is good until the
// next call.
func (v *view) tick(pairs []pair) *Second {
	s := &v.second
	now := v.world.now
	slot := int(now/time.Second) % horizonRing // requests of the second that ends now
	s.Now, s.Arrived = now, s.Arrived[:0]
	for i := range pairs {
		v.arrive(&pairs[i])
	}
	s.Ended, v.ended[slot] = v.ended[slot], s.Ended[:0]
	s.Begun, v.begun[slot] = v.begun[slot], s.Begun[:0]
	for arm := range s.Instances {
		s.Instances[arm] = v.instances(arm, now)
	}
	return s
}

func (v *view) arrive(p *pair) {
	r := v.meet(p)
	if r.Canary {
		v.canary++
		if v.exposed < 0 {
			v.exposed = r.At
		}
		if h := v.world.cell.Harm; h != "" {
			v.excess += h.of(&r) - h.of(&p.on[Stable])
		}
	}
	end := int((r.At+r.Latency)/time.Second+1) % horizonRing
	v.ended[end] = append(v.ended[end], r)
	if !v.live {
		return
	}
	seen := Request{
		At: r.At, Unit: r.Unit, Number: r.Number, Tenant: r.Tenant, Route: r.Route, Instance: r.Instance, Canary: r.Canary,
	}
	v.second.Arrived = append(v.second.Arrived, seen)
	if seen.First = r.First; r.Outcome == OK || r.First < r.Latency {
		begin := int((r.At+r.First)/time.Second+1) % horizonRing
		v.begun[begin] = append(v.begun[begin], seen)
	}
}

// instances is what an orchestrator says of an arm at the end of a second.
func (v *view) instances(arm int, now time.Duration) Instances {
	n := v.serving(arm)
	s := Instances{Wanted: n, Ready: n}
	if !v.world.cell.perInstance() {
		return s
	}
	s.Ready = 0
	for i := range v.lives[arm][:n] {
		l := &v.lives[arm][i]
		l.at(now)
		s.Restarts += l.deaths - l.taken
		l.taken = l.deaths
		if l.up(now) {
			s.Ready++
		} else if l.deaths >= loopDeaths {
			s.Looping = true
		}
	}
	return s
}

// loopDeaths is how many crashes in a row make a loop.
const loopDeaths = 3
