package room

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/quantity"
)

// Answer says whether an ask fits, with the arithmetic of each resource.
type Answer struct {
	Fits      bool
	Lines     []Line   // of what is asked for
	Unlimited []string // releases without a memory limit, which count as nothing
}

// Line is the arithmetic of one resource.
type Line struct {
	Resource string // cpu, memory, storage or gpu
	Fits     bool
	Asked    int64 // thousandths of a core, bytes, or instances with devices
	Free     int64
	Text     string
}

// Fit says whether what is asked for has room on m beside what is taken.
func Fit(m Machine, taken []Plan, ask Ask) Answer {
	others := without(taken, ask.Site)
	lines := []Line{m.fitCPU(others, ask), m.fitMemory(others, ask), m.fitStorage(others, ask), fitDevices(others, ask)}
	a := Answer{Fits: true, Unlimited: Unlimited(slices.Concat(others, []Plan{ask.Plan}))}
	for _, line := range lines {
		if line.Resource == "" {
			continue // nothing is asked of it, or it is not known
		}
		if line.Resource == "memory" && len(a.Unlimited) > 0 {
			line.Text += "; without a limit, and so counted as nothing: " + strings.Join(a.Unlimited, ", ")
		}
		a.Lines = append(a.Lines, line)
		a.Fits = a.Fits && line.Fits
	}
	return a
}

// Why is what does not fit, in words; empty when all does.
func (a Answer) Why() string {
	var why []string
	for _, line := range a.Lines {
		if !line.Fits {
			why = append(why, line.Text)
		}
	}
	return strings.Join(why, "; ")
}

func without(plans []Plan, site fairlead.Site) []Plan {
	var others []Plan
	for _, p := range plans {
		if p.Site != site {
			others = append(others, p)
		}
	}
	return others
}

// resource is what is counted of an instance.
type resource struct {
	of   func(Need) int64
	text func(int64) string
}

func cpu() resource { return resource{func(n Need) int64 { return n.MilliCPU }, quantity.CPU} }

func memory() resource {
	return resource{func(n Need) int64 { return n.Memory }, quantity.Bytes}
}

// sum is what a stage takes.
func (r resource) sum(s Stage) (n int64) {
	for _, p := range s {
		n += int64(p.Count) * r.of(p.Each)
	}
	return n
}

// largest returns the stage that takes most; the first of equals.
func (r resource) largest(stages []Stage) (most Stage) {
	for _, s := range stages {
		if most == nil || r.sum(s) > r.sum(most) {
			most = s
		}
	}
	return most
}

// parts says what a stage is made of, such as " - triage@3 in production 2 x 4Gi".
func (r resource) parts(s Stage) string {
	var b strings.Builder
	for _, p := range s {
		if n := r.of(p.Each); n > 0 && p.Count > 0 {
			fmt.Fprintf(&b, " - %s %d x %s", p.Name(), p.Count, r.text(n))
		}
	}
	return b.String()
}

// balance is what the largest stage of an ask leaves of a resource.
type balance struct {
	each, count int64  // of the asked release
	asked, free int64  // all of it, and what it may have
	fits        bool   // or it asks for no more than runs now
	taken       string // what is not free, in words
}

func (r resource) balance(usable int64, others []Plan, ask Ask) balance {
	var b balance
	for _, p := range others {
		s := r.largest(p.Stages)
		usable -= r.sum(s)
		b.taken += r.parts(s)
	}
	var beside Stage
	most := r.largest(ask.Stages)
	for _, p := range most {
		if p.Release == ask.Release {
			b.each, b.count = r.of(p.Each), b.count+int64(p.Count)
			b.asked += int64(p.Count) * r.of(p.Each)
			continue
		}
		beside = append(beside, p)
	}
	b.taken += r.parts(beside)
	b.free = usable - r.sum(beside)
	b.fits = b.asked <= b.free || r.sum(most) <= r.sum(ask.Now)
	return b
}

func (m Machine) fitCPU(others []Plan, ask Ask) Line {
	most := m.MilliCPU * CPUFactor
	b := cpu().balance(most, others, ask)
	if b.asked == 0 || m.MilliCPU == 0 {
		return Line{}
	}
	line := Line{Resource: "cpu", Fits: b.fits, Asked: b.asked, Free: b.free}
	if b.each > m.MilliCPU {
		line.Fits = false
		line.Text = fmt.Sprintf("cpu: an instance asks for %s cores, and the machine has %s", quantity.CPU(b.each), quantity.CPU(m.MilliCPU))
		return line
	}
	line.Text = fmt.Sprintf("cpu: %d x %s cores asked, %s of %s free: %s cores x %d, as limits may add up to, %s", b.count, quantity.CPU(b.each),
		quantity.CPU(max(0, b.free)), quantity.CPU(most), quantity.CPU(m.MilliCPU), CPUFactor, strings.TrimPrefix(b.taken, " "))
	line.Text = strings.TrimSuffix(line.Text, ", ")
	return line
}

func (m Machine) fitMemory(others []Plan, ask Ask) Line {
	b := memory().balance(m.Memory-m.Reserve, others, ask)
	if b.asked == 0 || m.Memory == 0 {
		return Line{}
	}
	return Line{Resource: "memory", Fits: b.fits, Asked: b.asked, Free: b.free,
		Text: fmt.Sprintf("memory: %d x %s asked, %s of %s is free: %s %s - %s reserve%s", b.count, quantity.Bytes(b.each),
			quantity.Bytes(max(0, b.free)), quantity.Bytes(m.Memory), quantity.Bytes(m.Memory), m.bound(), quantity.Bytes(m.Reserve), b.taken)}
}

func (m Machine) bound() string {
	if m.Bounded == "" {
		return "machine"
	}
	return m.Bounded
}

// fitStorage counts what volumes may still fill: what they hold already is not free.
func (m Machine) fitStorage(others []Plan, ask Ask) Line {
	if ask.Storage == 0 || m.State.Size == 0 {
		return Line{}
	}
	free, taken := m.State.Free, ""
	for _, p := range slices.Concat(others, []Plan{ask.Plan}) {
		for _, v := range p.Volumes {
			if n := v.Size - v.Used; n > 0 {
				free -= n
				taken += fmt.Sprintf(" - %s that volume %s of %s may still fill", quantity.Bytes(n), v.Name, p.Site)
			}
		}
	}
	return Line{Resource: "storage", Fits: ask.Storage <= free, Asked: ask.Storage, Free: free,
		Text: fmt.Sprintf("storage: %s of volumes asked, %s is free: %s on %s%s",
			quantity.Bytes(ask.Storage), quantity.Bytes(max(0, free)), quantity.Bytes(m.State.Free), m.State.Path, taken)}
}

// Unlimited names the releases that state no memory limit, and so count as nothing.
func Unlimited(plans []Plan) []string {
	var names []string
	seen := map[string]bool{}
	for _, plan := range plans {
		for _, s := range plan.Stages {
			for _, p := range s {
				if p.Each.Memory == 0 && p.Count > 0 && !seen[p.Name()] {
					seen[p.Name()] = true
					names = append(names, p.Name())
				}
			}
		}
	}
	return names
}
