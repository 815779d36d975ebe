package gateway

import (
	"slices"
	"time"

	"github.com/fairlead/fairlead"
)

// failuresPair is the name of the pairs that say whether a request failed.
const failuresPair = "failures"

// pairing awaits what both releases make of one mirrored request. It keeps the
// request's cell open, so that an answer does not count sooner for being fast. What
// neither release has ended at the deadline counts as it stands then, for both alike.
// Its methods may be called in any order; it is safe for concurrent use.
type pairing struct {
	of     *observation // the old release's
	stable half
	canary half
	over   bool // counted, or given up
}

// half is what one release made of a mirrored request.
type half struct {
	known  bool
	failed bool
	values map[string]float64 // that it reported, by signal
}

// pair begins the pair of a request that has just arrived.
func (b *book) pair(o *observation) *pairing {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := &pairing{of: o}
	o.cell.open++
	b.pairs = append(b.pairs, p)
	return p
}

// clientHas notes how the client's request ended: whole is false when it was cut
// short, and then only a failure says anything of the old release.
func (p *pairing) clientHas(whole bool, reported map[string]float64) {
	b := p.of.book
	b.mu.Lock()
	defer b.mu.Unlock()
	if !whole && !p.of.failed {
		p.close()
		return
	}
	p.stable = half{known: true, values: reported}
	p.count()
}

// copyHas notes what became of the copy.
func (p *pairing) copyHas(failed bool, reported map[string]float64) {
	b := p.of.book
	b.mu.Lock()
	defer b.mu.Unlock()
	p.canary = half{known: true, failed: failed, values: reported}
	p.count()
}

// giveUp ends a pair that will never be known.
func (p *pairing) giveUp() {
	b := p.of.book
	b.mu.Lock()
	defer b.mu.Unlock()
	p.close()
}

// The methods below need the book's lock.

// count puts the pair in its cell once both halves are known.
func (p *pairing) count() {
	if p.over || !p.stable.known || !p.canary.known {
		return
	}
	p.stable.failed = p.of.failed
	p.add(failuresPair, risk(p.stable.failed), risk(p.canary.failed))
	for name, value := range p.stable.values {
		if name == failuresPair || name == fairlead.ErrorSignal { // what failed is not theirs to say; an error is a failure
			continue
		}
		if other, both := p.canary.values[name]; both {
			p.add(name, value, other)
		}
	}
	p.close()
}

func (p *pairing) add(signal string, stable, canary float64) {
	c := p.of.cell
	if c.pairs == nil {
		c.pairs = map[string][]fairlead.Pair{}
	}
	if _, known := c.pairs[signal]; !known && len(c.pairs) > namesMost { // failures have their place
		return
	}
	c.pairs[signal] = append(c.pairs[signal], fairlead.Pair{Unit: p.of.unit, Stable: stable, Canary: canary})
}

// close lets the cell complete.
func (p *pairing) close() {
	if p.over {
		return
	}
	p.over = true
	p.of.cell.open--
	p.of.book.touch(p.of.cell)
}

// passPairs counts what has not ended at its deadline, and forgets what is over.
func (b *book) passPairs(now time.Time) {
	for _, p := range b.pairs {
		if o := p.of; now.Sub(o.start) >= o.deadline && o.first >= 0 {
			p.stable.known = true // a long answer: it did not fail in time
			p.count()
		}
	}
	b.pairs = slices.DeleteFunc(b.pairs, func(p *pairing) bool { return p.over })
}

func risk(failed bool) float64 {
	if failed {
		return 1
	}
	return 0
}
