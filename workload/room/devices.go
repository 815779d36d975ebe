package room

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// shelf is how much of each usable device is taken.
type shelf struct {
	devices []Device
	taken   []float64 // share of each, 0 to 1
}

// rounding is by how much sums of shares may be off.
const rounding = 1e-9

func newShelf(devices []Device) *shelf {
	usable := slices.DeleteFunc(slices.Clone(devices), func(d Device) bool { return d.Failed != "" })
	return &shelf{devices: usable, taken: make([]float64, len(usable))}
}

// keep takes what an instance holds already.
func (s *shelf) keep(h Hold) {
	if i := slices.IndexFunc(s.devices, func(d Device) bool { return d.ID == h.Device }); i >= 0 {
		s.taken[i] += h.Share
	}
}

// place gives one instance what it asks for and reports whether it could. A part goes
// to the fullest device that has room, so that others stay whole.
func (s *shelf) place(g fairlead.GPU) bool {
	if g.Count > 0 {
		return s.placeWhole(g)
	}
	best := -1
	for i, d := range s.devices {
		if suits(g, d) && s.taken[i]+shareOf(g, d) <= 1+rounding && (best < 0 || s.taken[i] > s.taken[best]) {
			best = i
		}
	}
	if best < 0 {
		return false
	}
	s.taken[best] += shareOf(g, s.devices[best])
	return true
}

func (s *shelf) placeWhole(g fairlead.GPU) bool {
	var whole []int
	for i, d := range s.devices {
		if suits(g, d) && s.taken[i] == 0 && len(whole) < g.Count {
			whole = append(whole, i)
		}
	}
	if len(whole) < g.Count {
		return false
	}
	for _, i := range whole {
		s.taken[i] = 1
	}
	return true
}

func suits(g fairlead.GPU, d Device) bool { return g.Vendor == "" || g.Vendor == d.Vendor }

// shareOf is what part of a device is asked for; more than 1 where it has not enough
// memory.
func shareOf(g fairlead.GPU, d Device) float64 {
	if g.Share > 0 {
		return float64(g.Share) / 100
	}
	bytes, ok := workload.ParseBytes(g.Memory)
	if !ok || d.Memory <= 0 {
		return 2
	}
	return float64(bytes) / float64(d.Memory)
}

// fitDevices places the instances of each stage beside what others hold, and beside
// what others are promised and do not hold yet.
func (m Machine) fitDevices(others []Plan, holds []Hold, ask Ask) Line {
	var failed *Line
	var last Line
	for _, s := range ask.Stages {
		line, asks := m.stageDevices(others, holds, ask, s)
		if !asks {
			continue
		}
		if last = line; !line.Fits && failed == nil {
			failed = &line
		}
	}
	if failed != nil {
		return *failed
	}
	return last
}

// stageDevices places one stage. asks is false where its new release wants no device.
func (m Machine) stageDevices(others []Plan, holds []Hold, ask Ask, s Stage) (line Line, asks bool) {
	shelf := newShelf(m.Devices)
	for _, p := range others {
		shelf.promise(mostDevices(p.Stages), holds)
	}
	var own Stage
	var wanted Part
	for _, p := range s {
		if p.Release == ask.Release && p.Each.GPU != nil {
			wanted = p
			continue
		}
		own = append(own, p)
	}
	if wanted.Count == 0 {
		return Line{}, false
	}
	shelf.promise(own, holds)
	fit := 0
	for fit < wanted.Count && shelf.place(*wanted.Each.GPU) {
		fit++
	}
	return Line{Resource: "gpu", Fits: fit == wanted.Count, Asked: int64(wanted.Count), Free: int64(fit),
		Text: fmt.Sprintf("gpu: %d x %s asked, %d of them fit: %s%s", wanted.Count, gpuText(*wanted.Each.GPU), fit,
			m.devicesText(), devicesTaken(others, own))}, true
}

// promise takes what the parts of a stage have: what their instances hold, and for
// those that hold nothing yet what they ask for.
func (s *shelf) promise(stage Stage, holds []Hold) {
	for _, p := range stage {
		if p.Each.GPU == nil {
			continue
		}
		var held []string // instances
		for _, h := range holds {
			if h.Site != p.Site || h.Release != p.Release {
				continue
			}
			if !slices.Contains(held, h.Instance) {
				held = append(held, h.Instance)
			}
			if len(held) <= p.Count {
				s.keep(h)
			}
		}
		for range p.Count - len(held) {
			s.place(*p.Each.GPU) // what has no room took none
		}
	}
}

// mostDevices returns the stage in which most instances have devices.
func mostDevices(stages []Stage) (most Stage) {
	count := func(s Stage) (n int) {
		for _, p := range s {
			if p.Each.GPU != nil {
				n += p.Count
			}
		}
		return n
	}
	for _, s := range stages {
		if most == nil || count(s) > count(most) {
			most = s
		}
	}
	return most
}

// devicesText says what devices there are.
func (m Machine) devicesText() string {
	if len(m.Devices) == 0 {
		return "this machine has none"
	}
	var all []string
	for _, d := range m.Devices {
		text := d.Name
		if d.Memory > 0 {
			text += " of " + bytesText(d.Memory)
		}
		if d.Failed != "" {
			text += " (" + d.Failed + ")"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

func devicesTaken(others []Plan, own Stage) string {
	stages := []Stage{own}
	for _, p := range others {
		stages = append(stages, mostDevices(p.Stages))
	}
	var b strings.Builder
	for _, s := range stages {
		for _, p := range s {
			if p.Each.GPU != nil && p.Count > 0 {
				fmt.Fprintf(&b, " - %s %d x %s", p.Name(), p.Count, gpuText(*p.Each.GPU))
			}
		}
	}
	return b.String()
}

// gpuText says what an instance asks for.
func gpuText(g fairlead.GPU) string {
	vendor := g.Vendor
	if vendor != "" {
		vendor += " "
	}
	switch {
	case g.Count == 1:
		return "1 " + vendor + "device"
	case g.Count > 1:
		return fmt.Sprintf("%d %sdevices", g.Count, vendor)
	case g.Share > 0:
		return fmt.Sprintf("%g %% of a %sdevice", float64(g.Share), vendor)
	}
	return g.Memory + " of a " + vendor + "device"
}
