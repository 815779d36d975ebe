package device

import (
	"maps"
	"slices"

	"github.com/fairlead/fairlead/internal/figures"
)

// Watch is what several looks say of the health of devices. The zero value has seen
// none. It is not safe for concurrent use.
type Watch struct{ devices map[string]health }

// health is what is known of one device that could be used once.
type health struct {
	bad, good int   // looks in a row that found it so
	errors    int64 // at the newest look that told; -1 before
	failed    bool
	seen      bool // by this watch
}

// Turn is a device that fails, or is well again.
type Turn struct {
	Device string
	Failed bool
	Why    string // it fails
}

// One look may err: a device fails with the second bad look in a row, and is well again
// after the third good one. Errors of its memory that could not be corrected fail it at
// once, for they have done their harm.
const (
	badLooks  = 2
	goodLooks = 3
)

// NewWatch returns a watch that knows which devices failed before it began.
func NewWatch(failed []string) Watch {
	w := Watch{devices: map[string]health{}}
	for _, id := range failed {
		w.devices[id] = health{errors: -1, failed: true}
	}
	return w
}

// Take takes a look and says which devices turn by it, in the order of their ids. held
// are those that instances have: one of them that is not there fails as one that was
// seen before. What was never seen whole does not fail; it is missing.
func (w *Watch) Take(v Inventory, readings []Reading, held []string) []Turn {
	if w.devices == nil {
		w.devices = map[string]health{}
	}
	for _, id := range held {
		if _, known := w.devices[id]; !known {
			w.devices[id] = health{errors: -1}
		}
	}
	for _, d := range v.Devices {
		h, known := w.devices[d.ID]
		if !known && d.Missing == "" {
			h = health{errors: -1}
		}
		if known || d.Missing == "" {
			h.seen = true
			w.devices[d.ID] = h
		}
	}
	var turns []Turn
	for _, id := range slices.Sorted(maps.Keys(w.devices)) {
		h := w.devices[id]
		if v.Blind && !h.seen {
			continue // it may be one of those that are seen without their ids
		}
		turn := h.take(verdict(v, readings, id), reading(readings, id))
		if w.devices[id] = h; turn != nil {
			turn.Device = id
			turns = append(turns, *turn)
		}
	}
	return turns
}

// Doubtful reports whether the newest look found a device bad that has not failed yet,
// so that another look soon is worth it.
func (w *Watch) Doubtful() bool {
	for _, h := range w.devices {
		if h.bad > 0 && !h.failed {
			return true
		}
	}
	return false
}

// take moves h on by a look that says why its device is bad, or "".
func (h *health) take(why string, r Reading) *Turn {
	sudden := false
	if grown := r.Errors - h.errors; r.Errors >= 0 {
		if h.errors >= 0 && grown > 0 {
			sudden, why = true, figures.Plural(uint64(grown), "error", "errors")+" of its memory could not be corrected"
		}
		h.errors = r.Errors
	}
	if why == "" {
		h.bad, h.good = 0, h.good+1
	} else {
		h.bad, h.good = h.bad+1, 0
	}
	switch {
	case !h.failed && (sudden || h.bad >= badLooks):
		h.failed = true
		return &Turn{Failed: true, Why: why}
	case h.failed && h.good >= goodLooks:
		h.failed = false
		return &Turn{}
	}
	return nil
}

// verdict says why a look found a device bad, or "".
func verdict(v Inventory, readings []Reading, id string) string {
	d, there := v.Find(id)
	switch {
	case !there:
		return "the machine does not show it any more"
	case d.Missing != "":
		return d.Missing
	}
	return reading(readings, id).Fault
}

func reading(readings []Reading, id string) Reading {
	if r, ok := ReadingOf(readings, id); ok {
		return r
	}
	return Reading{Device: id, Used: -1, Busy: -1, Errors: -1}
}

// ReadingOf returns what was read of a device.
func ReadingOf(readings []Reading, id string) (Reading, bool) {
	i := slices.IndexFunc(readings, func(r Reading) bool { return r.Device == id })
	if i < 0 {
		return Reading{}, false
	}
	return readings[i], true
}

// After returns v with what an earlier look knew of devices of which this one knows
// less: the memory of one that is lost, and where the vendor's program told nothing also
// ids and parts. It keeps their order.
func (v Inventory) After(before Inventory) Inventory {
	after := v
	after.Devices = nil
	for _, d := range v.Devices {
		known := slices.DeleteFunc(slices.Clone(before.Devices), func(b Device) bool { return b.PCI != d.PCI || b.Vendor != d.Vendor })
		if !v.Blind || d.Vendor != NVIDIA || len(known) == 0 {
			if i := slices.IndexFunc(known, func(k Device) bool { return k.ID == d.ID }); i >= 0 && d.Memory == 0 {
				d.Memory = known[i].Memory
			}
			known = []Device{d}
		}
		for _, k := range known {
			k.Missing = d.Missing
			after.Devices = append(after.Devices, k)
		}
	}
	return after
}
