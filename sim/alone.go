package sim

import (
	"math/rand/v2"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway"
	"github.com/fairlead/fairlead/rollout"
)

// In every fourth world there is no room for two releases: some sites have one writer,
// and their releases take each other's place, and some let the old release shrink.
// What such worlds are is drawn apart from all else, so that the others are as they
// were.

// tight reports whether a world is one of these.
func tight(seed uint64) bool { return seed%8 == 0 || seed%8 == 6 }

// lingering is the share of instances that outlive their shim in a world: containers do.
func lingering(seed uint64) float64 {
	if !tight(seed) {
		return 0
	}
	return 0.5
}

// crowd gives the sites of a tight world their strategies.
func crowd(seed uint64, sites []*site) {
	if !tight(seed) {
		return
	}
	chance := rand.New(rand.NewPCG(seed, 0xa1011e))
	for _, s := range sites {
		replicas, kind := 1+chance.IntN(4), chance.IntN(4)
		for _, script := range s.scripts {
			environment := &script.environment
			switch {
			case kind <= 1 || kind == 2 && chance.IntN(2) == 0: // one writer, or some releases that have
				environment.Strategy.Type, environment.Strategy.Adaptive = fairlead.Replace, nil
				environment.Replicas = 1 + replicas*(kind%2)
			case kind == 3:
				environment.Strategy.Type, environment.Strategy.Shrink = fairlead.Canary, true
				if chance.IntN(3) == 0 {
					environment.Strategy.Type, environment.Strategy.Adaptive = fairlead.BlueGreen, nil
				}
				environment.Replicas = 1 + replicas
			default:
				environment.Replicas = 1
			}
		}
	}
}

// alone reports whether no other release may run beside this one.
func (s *script) alone() bool { return s.environment.Strategy.Type == fairlead.Replace }

// meets checks an instance that starts: it runs beside none that it must not meet. What
// lingers runs too, whatever its status says.
func (p *promises) meets(i *instance) {
	site, together := p.u.siteOf(i.status.Site), 0
	for _, other := range p.u.machine.instances {
		if other.status.Site != i.status.Site || !other.runs() {
			continue
		}
		together++
		differs := other.status.Release != i.status.Release
		if differs && (i.script.alone() || other.script.alone()) {
			p.breaks("never two writers", "instance %s starts beside %s (%s, lingers %t)", i.status.ID, other.status.ID, other.status.State, other.lingers)
		}
	}
	environment := i.script.environment
	if most := environment.Replicas; (environment.Strategy.Shrink || i.script.alone() && most == 1) && together > most {
		p.breaks("what runs has room", "instance %s makes %d at %s, which has room for %d", i.status.ID, together, site.id, most)
	}
}

// waits checks that requests wait only while a release takes the place of another, or
// was about to when the snapshot was made.
func (p *promises) waits(route gateway.Route, r rollout.Rollout) {
	if route.Queue && !r.Replaces() {
		p.breaks("nothing dropped", "requests to %s wait, and %s takes no place", route.Site, r.ID)
	}
}

// inVain checks a request that waited for its whole time.
func (p *promises) inVain(s *site) {
	p.u.report.Unserved++
	p.u.report.InVain++
	if !p.u.faults.any && !p.u.settling {
		p.breaks("nothing dropped", "a request to %s waited for %s", s.id, patience)
	}
}
