package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/internal/exposition"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/workload/device"
)

// List implements api.Devices.
func (d *devices) List() client.Devices {
	d.mu.Lock()
	defer d.mu.Unlock()
	view := client.Devices{Devices: []client.Device{}, Notes: append([]string{}, d.seen.Notes...), Looked: d.looked.UTC()}
	for _, one := range d.seen.Devices {
		view.Devices = append(view.Devices, d.view(one))
	}
	for _, id := range d.gone() {
		f := d.faults[id]
		view.Devices = append(view.Devices, d.view(device.Device{ID: id, Name: f.Name, Missing: f.Why}))
	}
	return view
}

// gone are the devices that failed and are not seen any more, sorted.
func (d *devices) gone() (ids []string) {
	for id := range d.faults {
		if _, seen := d.seen.Find(id); !seen {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (d *devices) view(one device.Device) client.Device {
	v := client.Device{
		ID: one.ID, PCI: one.PCI, Vendor: one.Vendor, Name: one.Name, Memory: one.Memory, Health: "ok", Note: one.Note,
		Nodes: append([]string{}, one.Nodes...), CDI: one.CDI, Holders: []client.DeviceUser{},
	}
	if one.Missing != "" {
		v.Health = one.Missing
	}
	if f, failed := d.faults[one.ID]; failed {
		v.Health, v.Failed = "failed: "+f.Why, &f.Since
	}
	if r, ok := device.ReadingOf(d.readings, one.ID); ok {
		if r.Used >= 0 {
			v.Used = &r.Used
		}
		if r.Busy >= 0 {
			v.Busy = &r.Busy
		}
	}
	for _, h := range d.holdings() {
		for _, p := range h.Parts {
			if p.Device == one.ID {
				v.Holders = append(v.Holders, client.DeviceUser{App: h.Site.App, Env: h.Site.Env, Release: h.Release, Instance: h.Instance,
					Whole: p.Whole, Share: float64(p.Share), Memory: p.Memory})
			}
		}
	}
	return v
}

// The metrics of devices. A device that several instances have is there once for each.
const (
	busyMetric   = "fairlead_gpu_busy_ratio"
	usedMetric   = "fairlead_gpu_memory_used_bytes"
	totalMetric  = "fairlead_gpu_memory_bytes"
	failedMetric = "fairlead_gpu_failed"
)

// Exposition implements api.Devices.
func (d *devices) Exposition(w io.Writer) error {
	view := d.List()
	out := bufio.NewWriter(w)
	for _, m := range []struct {
		name, help string
		value      func(client.Device) (float64, bool)
	}{
		{busyMetric, "Share of the last moments in which the GPU worked, 0 to 1.", func(d client.Device) (float64, bool) { return known(d.Busy) }},
		{usedMetric, "Bytes of the GPU's memory that are used, by whomever.", func(d client.Device) (float64, bool) { return known(d.Used) }},
		{totalMetric, "Bytes of the GPU's memory.", func(d client.Device) (float64, bool) { return float64(d.Memory), d.Memory > 0 }},
		{failedMetric, "1 while the GPU is failed, else 0.", func(d client.Device) (float64, bool) { return map[bool]float64{true: 1}[d.Failed != nil], true }},
	} {
		fmt.Fprintf(out, "# HELP %s %s\n# TYPE %s gauge\n", m.name, m.help, m.name)
		for _, one := range view.Devices {
			if v, ok := m.value(one); ok {
				writeSamples(out, m.name, one, v)
			}
		}
	}
	return out.Flush()
}

func known[T int64 | float64](v *T) (float64, bool) {
	if v == nil {
		return 0, false
	}
	return float64(*v), true
}

func writeSamples(w io.Writer, name string, d client.Device, v float64) {
	labels := fmt.Sprintf("device=%s,name=%s,vendor=%s", exposition.Quote(d.ID), exposition.Quote(d.Name), exposition.Quote(d.Vendor))
	if len(d.Holders) == 0 {
		fmt.Fprintf(w, "%s{%s} %g\n", name, labels, v)
	}
	for _, h := range d.Holders {
		fmt.Fprintf(w, "%s{%s,app=%s,environment=%s,release=\"%d\",instance=%s} %g\n", name, labels, exposition.Quote(h.App), exposition.Quote(h.Env), h.Release, exposition.Quote(h.Instance), v)
	}
}

// deviceGuards answer guards on the metrics of devices from what was sampled of those
// that the release's instances have; the others are asked of next.
type deviceGuards struct {
	devices *devices
	next    rollout.Guards
}

// Look implements rollout.Guards. Of several devices the worst counts.
func (g deviceGuards) Look(ctx context.Context, guard fairlead.Guard, at rollout.GuardPlace) (float64, error) {
	if guard.Metric != busyMetric && guard.Metric != usedMetric {
		return g.next.Look(ctx, guard, at)
	}
	worst, found := 0.0, false
	for _, one := range g.devices.List().Devices {
		for _, h := range one.Holders {
			if h.App != at.Site.App || h.Env != at.Site.Env || h.Release != at.Release {
				continue
			}
			v, ok := known(one.Used)
			if guard.Metric == busyMetric {
				v, ok = known(one.Busy)
			}
			if ok && (!found || worse(guard, v, worst)) {
				worst, found = v, true
			}
		}
	}
	if !found {
		return 0, errors.New("no GPU of the new release tells it")
	}
	return worst, nil
}

// worse reports whether a is nearer to a breach of a guard than b, or further beyond.
func worse(g fairlead.Guard, a, b float64) bool {
	if g.Max != nil {
		return a > b
	}
	return a < b
}
