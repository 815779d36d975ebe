package device

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/quantity"
)

// unknown is the capacity that a device counts with whose memory is not known: parts
// of it can be had by share only.
const unknown = 1_000_000

// capacity is what there is of a device, in bytes of its memory or in millionths.
func capacity(d Device) int64 {
	if d.Memory > 0 {
		return d.Memory
	}
	return unknown
}

// taken is what a part takes of its device's capacity. Shares are rounded down, so that
// those that make a whole together always fit.
func taken(d Device, p Part) int64 {
	switch {
	case p.Whole:
		return capacity(d)
	case p.Memory > 0:
		return min(p.Memory, capacity(d))
	}
	return int64(float64(capacity(d)) * float64(p.Share) / 100)
}

// space is a device with what is left of it.
type space struct {
	device Device
	whole  bool  // somebody has all of it
	parts  int   // how many have a part of it
	used   int64 // of its capacity
}

func (s space) free() int64 { return capacity(s.device) - s.used }

func (s *space) take(p Part) {
	s.whole = s.whole || p.Whole
	s.parts++
	s.used += taken(s.device, p)
}

// spaces returns the devices that may be given out, with what is taken of them.
func spaces(v Inventory, held []Holding, vendor string) []space {
	var all []space
	for _, d := range v.Devices {
		if d.Missing != "" || vendor != "" && d.Vendor != vendor {
			continue
		}
		s := space{device: d}
		for _, h := range held {
			for _, p := range h.Parts {
				if p.Device == d.ID {
					s.take(p)
				}
			}
		}
		all = append(all, s)
	}
	return all
}

// Assign decides which devices n more instances get that each ask for the same. The
// answer has their parts, in the order of the instances; a *[Shortage] says what is
// missing, and an ask that cannot be read is code invalid. It is pure, and gives the
// same answer for the same arguments.
//
// Whole devices are taken from those that nobody has a part of; the devices of one
// instance have one vendor, and where it can be one model, the smallest that fit. Parts
// are packed: each goes to the device with the least room left that still holds it, so
// that whole devices stay free as long as possible. A device is held whole by one
// instance or in parts by several, never both.
func Assign(v Inventory, held []Holding, ask fairlead.GPU, n int) ([][]Part, error) {
	want, err := wanted(ask)
	if err != nil {
		return nil, err
	}
	all := spaces(v, held, ask.Vendor)
	given := make([][]Part, 0, n)
	for range n {
		var parts []Part
		if want.Whole {
			parts = takeWhole(all, max(1, ask.Count))
		} else {
			parts = takePart(all, want)
		}
		if parts == nil {
			return nil, shortage(v, held, ask, n, len(given))
		}
		given = append(given, parts)
	}
	return given, nil
}

// wanted returns an ask as a part of one device.
func wanted(ask fairlead.GPU) (Part, error) {
	bytes, ok := quantity.ParseBytes(ask.Memory)
	switch {
	case !ok:
		return Part{}, fairlead.Errorf(fairlead.Invalid, "", "%q is not an amount of a GPU's memory", ask.Memory).WithHint(`write "16Gi"`)
	case math.IsNaN(float64(ask.Share)) || ask.Share < 0 || ask.Share > 100:
		return Part{}, fairlead.Errorf(fairlead.Invalid, "", "%g is not a share of a GPU: 0 to 100", float64(ask.Share))
	case ask.Count < 0:
		return Part{}, fairlead.Errorf(fairlead.Invalid, "", "%d is not a number of GPUs", ask.Count)
	case ask.Count > 0 && (bytes > 0 || ask.Share > 0), bytes > 0 && ask.Share > 0:
		return Part{}, fairlead.Errorf(fairlead.Invalid, "", "a GPU is asked for by count, by memory or by share: one of them")
	case bytes > 0:
		return Part{Memory: bytes}, nil
	case ask.Share > 0:
		return Part{Share: ask.Share}, nil
	}
	return Part{Whole: true}, nil
}

// takeWhole takes count devices that nobody has a part of, or returns nil.
func takeWhole(all []space, count int) []Part {
	groups := map[string][]int{}
	var names []string
	add := func(name string, i int) {
		if groups[name] == nil {
			names = append(names, name)
		}
		groups[name] = append(groups[name], i)
	}
	for i, s := range all {
		if s.parts == 0 {
			add("model "+s.device.Vendor+" "+s.device.Name, i)
			add("vendor "+s.device.Vendor, i)
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return len(groups[name]) < count })
	if len(names) == 0 {
		return nil
	}
	smallest := func(name string) int64 { return capacity(all[groups[name][0]].device) }
	for _, group := range groups {
		slices.SortStableFunc(group, func(i, j int) int { return cmp.Compare(capacity(all[i].device), capacity(all[j].device)) })
	}
	slices.SortFunc(names, func(a, b string) int { // "model" comes before "vendor"
		return cmp.Or(strings.Compare(a[:5], b[:5]), cmp.Compare(smallest(a), smallest(b)), strings.Compare(a, b))
	})
	var parts []Part
	for _, i := range groups[names[0]][:count] {
		p := Part{Device: all[i].device.ID, Whole: true}
		all[i].take(p)
		parts = append(parts, p)
	}
	return parts
}

// takePart takes a part of the device with the least room that has enough, or returns
// nil. Of two that are alike it takes the one that is shared already.
func takePart(all []space, want Part) []Part {
	best := -1
	for i, s := range all {
		if s.whole || want.Memory > 0 && s.device.Memory == 0 || need(s.device, want) > s.free() {
			continue
		}
		if best < 0 || s.free() < all[best].free() || s.free() == all[best].free() && s.parts > all[best].parts {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	p := Part{Device: all[best].device.ID, Share: want.Share, Memory: want.Memory}
	all[best].take(p)
	return []Part{p}
}

// need is what a wanted part would take of a device, if it had any amount of it.
func need(d Device, want Part) int64 {
	if want.Memory > 0 {
		return want.Memory
	}
	return max(1, taken(d, want))
}
