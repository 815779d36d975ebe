package sim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway"
)

// cellID names a second of a site's requests in one boot of the gateway.
type cellID struct {
	gateway string
	site    fairlead.Site
	rollout string
	epoch   uint32
	second  int64
}

// tally is what clients know of a cell: its requests, and those that failed, of the
// old release and the new one. The gateway has told the rest of it once it says that
// the cell is complete.
type tally struct {
	requests, failed [2]int
	unsure           bool // a lease was running out, or not every run is evidence: no more than this
}

// asked notes a request that the gateway took, and returns where it counts.
func (p *promises) asked(s *site, t *gateway.Ticket) []*tally {
	id := cellID{gateway: p.u.gate.boot, site: s.id, second: p.u.gate.now().Unix()}
	split := p.splitOf(s.id)
	if split == nil {
		return []*tally{p.enter(id, t, s.byRun())}
	}
	id.rollout, id.epoch = split.Rollout, split.Epoch
	attended, expired := p.lease(split)
	fallen := id
	fallen.epoch = 0
	switch {
	case expired:
		return []*tally{p.enter(fallen, t, s.byRun())}
	case attended:
		return []*tally{p.enter(id, t, s.byRun())}
	}
	return []*tally{p.enter(id, t, true), p.enter(fallen, t, true)}
}

func (p *promises) enter(id cellID, t *gateway.Ticket, unsure bool) *tally {
	c := p.cells[id]
	if c == nil {
		c = &tally{}
		p.cells[id] = c
	}
	c.requests[arm(t)]++
	c.unsure = c.unsure || unsure
	return c
}

func arm(t *gateway.Ticket) int {
	if t.Canary() {
		return 1
	}
	return 0
}

// lease reports whether the lease of a split is in force, and whether it has surely
// run out; neither while it runs out.
func (p *promises) lease(split *gateway.Split) (attended, expired bool) {
	ttl, age := split.Lease.TTL.D(), p.u.world.now-p.renewedAt
	if ttl <= 0 {
		return true, false
	}
	return p.attended && age < ttl, !p.attended || age > ttl+expiresWithin
}

// gave checks blocks that the gateway gave: they tell of what happened, once.
func (p *promises) gave(blocks []fairlead.Block) {
	for _, b := range blocks {
		id := blockID{b.Gateway, b.Site, b.Seq}
		if _, known := p.fetched[id]; known {
			continue
		}
		boot := blockID{b.Gateway, b.Site, 0}
		p.gaps[boot] = p.gaps[boot] || b.Seq != p.last[boot]+1 // a block was lost, with what it told of
		p.last[boot] = b.Seq
		requests := 0
		for _, c := range b.Cells {
			requests += int(c.Stable.Requests + c.Canary.Requests)
			p.told(cellID{b.Gateway, b.Site, b.Rollout, c.Epoch, c.Second}, c, !p.gaps[boot])
		}
		p.fetched[id] = requests
	}
}

// missing reports whether blocks of a site were ever lost.
func (p *promises) missing(site fairlead.Site) bool {
	for boot, gap := range p.gaps {
		if gap && boot.site == site {
			return true
		}
	}
	return false
}

// leaves notes the blocks that a gateway which dies has written and keeps; without
// power they may be lost.
func (p *promises) leaves(blocks []fairlead.Block, power bool) {
	p.left = nil
	for _, b := range blocks {
		if !power {
			p.left = append(p.left, blockID{b.Gateway, b.Site, b.Seq})
		}
	}
}

// found checks that a gateway which starts has the blocks that the one before left.
func (p *promises) found(blocks []fairlead.Block) {
	has := map[blockID]bool{}
	for _, b := range blocks {
		has[blockID{b.Gateway, b.Site, b.Seq}] = true
	}
	for _, id := range p.left {
		if !has[id] {
			p.breaks("evidence is not lost", "block %v was written and is gone after a restart", id)
		}
	}
	p.left = nil
}

// told takes off what a block tells of a cell; nothing is left of one that is complete.
func (p *promises) told(id cellID, c fairlead.Cell, whole bool) {
	known := p.cells[id]
	if known == nil {
		known = &tally{unsure: true}
	}
	known.unsure = known.unsure || !whole
	for i, a := range [2]fairlead.Arm{c.Stable, c.Canary} {
		known.requests[i] -= int(a.Requests)
		for _, n := range a.Failed {
			known.failed[i] -= int(n)
		}
		left := known.requests[i] + known.failed[i]
		if known.requests[i] < 0 || known.failed[i] < 0 || c.Complete && !known.unsure && left > 0 {
			p.breaks("evidence is what happened", "arm %d of %+v: the gateway tells of %d requests, failed %v; %d and %d are left of what clients saw",
				i, id, a.Requests, a.Failed, known.requests[i], known.failed[i])
		}
	}
	if c.Complete {
		delete(p.cells, id)
	}
}

// onCanary reports whether a unit is on the canary at a weight, as the design says.
func onCanary(split *gateway.Split, unit string, w fairlead.Weight) bool {
	mac := hmac.New(sha256.New, split.Salt)
	mac.Write([]byte("assign\x00" + unit))
	return binary.BigEndian.Uint64(mac.Sum(nil))%uint64(fairlead.Whole) < uint64(w)
}
