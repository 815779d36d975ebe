package room

import (
	"fmt"
	"strings"

	"github.com/fairlead/fairlead"
)

// fitDevices asks for the devices of each stage beside those that others are promised.
func fitDevices(others []Plan, ask Ask) (line Line) {
	if ask.Place == nil {
		return Line{}
	}
	var promised []Part
	for _, p := range others {
		promised = append(promised, withDevices(mostDevices(p.Stages))...)
	}
	for _, s := range ask.Stages {
		wanted, beside := split(withDevices(s), ask.Release)
		if wanted.Count == 0 {
			continue
		}
		fit, why := ask.Place(append(promised[:len(promised):len(promised)], beside...), wanted)
		line = Line{Resource: "gpu", Fits: fit >= wanted.Count, Asked: int64(wanted.Count), Free: int64(fit)}
		if !line.Fits {
			line.Text = "gpu: " + why
			return line
		}
		line.Text = fmt.Sprintf("gpu: each of %d gets what it asks for", wanted.Count)
	}
	return line
}

// split returns the part of a release, and the others.
func split(s Stage, release int) (of Part, beside Stage) {
	for _, p := range s {
		if p.Release == release {
			p.Count += of.Count
			of = p
			continue
		}
		beside = append(beside, p)
	}
	return of, beside
}

// withDevices returns the parts whose instances ask for devices.
func withDevices(s Stage) (parts Stage) {
	for _, p := range s {
		if p.Each.GPU != nil && p.Count > 0 {
			parts = append(parts, p)
		}
	}
	return parts
}

// mostDevices returns the stage in which most instances ask for devices.
func mostDevices(stages []Stage) (most Stage) {
	count := func(s Stage) (n int) {
		for _, p := range withDevices(s) {
			n += p.Count
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

// GPUText says what an instance asks for, such as "1 device" or "16Gi of a device".
func GPUText(g fairlead.GPU) string {
	device, one := "device", "a device"
	if g.Vendor != "" {
		device = g.Vendor + " " + device
		one = map[bool]string{true: "an ", false: "a "}[strings.HasPrefix(g.Vendor, "a")] + device
	}
	switch {
	case g.Memory != "":
		return g.Memory + " of " + one
	case g.Share > 0:
		return fmt.Sprintf("%g %% of %s", float64(g.Share), one)
	case g.Count > 1:
		return fmt.Sprintf("%d %ss", g.Count, device)
	}
	return "1 " + device
}
