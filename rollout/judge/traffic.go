package judge

import "github.com/fairlead/fairlead"

// The window over which traffic is measured: slots of ten seconds of the blocks'
// own time.
const (
	trafficSlots = 30
	trafficSlot  = 10_000 // milliseconds
)

// traffic measures how many units and requests come in a second, over the last five
// minutes of a rollout. It is for forecasts; no evidence depends on it.
type traffic struct {
	slots       [trafficSlots]trafficCount
	first, last int64 // Unix milliseconds of the first and the newest block
}

type trafficCount struct {
	slot            int64 // which it is; of an older one nothing counts
	units, requests uint32
}

func (t *traffic) add(b fairlead.Block, first uint32) {
	if t.first == 0 {
		t.first = b.At - 1000 // a block is of about a second
	}
	t.last = max(t.last, b.At)
	slot := b.At / trafficSlot
	count := &t.slots[int(slot)%trafficSlots]
	if count.slot != slot {
		*count = trafficCount{slot: slot}
	}
	for i := range b.Cells {
		c := &b.Cells[i]
		if c.Epoch < first {
			continue
		}
		count.units += uint32(len(c.Stable.Units) + len(c.Canary.Units))
		count.requests += c.Stable.Requests + c.Canary.Requests
	}
}

// rates returns the units and the requests of a second; zeroes before any came.
func (t *traffic) rates() (units, requests float64) {
	newest := t.last / trafficSlot
	from := max(t.first, (newest-trafficSlots+1)*trafficSlot)
	if t.last <= from {
		return 0, 0
	}
	for _, c := range t.slots {
		if c.slot > newest-trafficSlots && c.slot <= newest {
			units, requests = units+float64(c.units), requests+float64(c.requests)
		}
	}
	seconds := float64(t.last-from) / 1000
	return units / seconds, requests / seconds
}
