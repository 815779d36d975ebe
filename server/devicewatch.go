package server

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/device"
)

// lookEvery is the time between two looks at the devices, and doubtEvery where the
// newest found one bad. Looking takes nvidia-smi, which takes a part of a second.
const (
	lookEvery  = 10 * time.Second
	doubtEvery = time.Second
)

// run looks at the devices until ctx ends.
func (d *devices) run(ctx context.Context) {
	for {
		wait := lookEvery
		if d.doubtful() {
			wait = doubtEvery
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if err := d.look(ctx); err != nil && ctx.Err() == nil {
			d.log.Warn("the GPUs could not be looked at", "error", err)
		}
		if err := d.settle(ctx); err != nil && ctx.Err() == nil {
			d.log.Warn("GPUs of instances that ended are not free yet", "error", err)
		}
	}
}

func (d *devices) doubtful() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.watch.Doubtful()
}

// look looks at the devices once, and records which of them failed or are well again.
func (d *devices) look(ctx context.Context) error {
	found, readings, err := d.finder.Look(ctx)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen, d.readings, d.looked = found.After(d.seen), readings, d.now()
	for _, turn := range d.watch.Take(d.seen, readings, d.heldIDs()) {
		if err := d.turn(ctx, turn); err != nil {
			return err
		}
	}
	return nil
}

// heldIDs are the devices that instances have.
func (d *devices) heldIDs() (ids []string) {
	for _, h := range d.held {
		for _, p := range h.Parts {
			ids = append(ids, p.Device)
		}
	}
	return ids
}

// turn records that a device failed, with the instances that it takes out, or that it
// is well again.
func (d *devices) turn(ctx context.Context, t device.Turn) error {
	one, _ := d.seen.Find(t.Device)
	before, failed := d.faults[t.Device]
	if one.Name == "" {
		one.Name = before.Name
	}
	name := strings.TrimSpace(one.Name + " " + t.Device)
	if !t.Failed {
		if !failed {
			return nil
		}
		err := d.record(ctx, "device.recovered", fairlead.Site{}, name+" is well again", map[string]any{"device": t.Device}, faultRow, t.Device, nil)
		if err == nil {
			delete(d.faults, t.Device)
		}
		return err
	}
	f := fault{Device: t.Device, Name: one.Name, Why: t.Why, Since: d.now().UTC()}
	instances := []string{}
	for _, h := range d.holdings() {
		if h.Holds(t.Device) {
			instances = append(instances, h.Instance)
		}
	}
	text := name + " failed: " + t.Why
	if len(instances) > 0 {
		text += "; what runs on it is replaced: " + strings.Join(instances, ", ")
	}
	said := map[string]any{"device": t.Device, "why": t.Why, "instances": instances}
	if err := d.record(ctx, "device.failed", fairlead.Site{}, text, said, faultRow, t.Device, f); err != nil {
		return err
	}
	d.log.Error("a GPU failed", "device", t.Device, "why", t.Why, "instances", instances)
	d.faults[t.Device] = f
	return nil
}

// mark says of the instances that have a failed device that they must leave: they take
// no traffic any more, and others are started in their place.
func (d *devices) mark(all []workload.Status) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.faults) == 0 {
		return
	}
	for i, s := range all {
		for _, p := range d.held[s.ID].Parts {
			if f, failed := d.faults[p.Device]; failed && !s.State.Over() {
				all[i].Leave = fmt.Sprintf("its GPU failed: %s", f.Why)
			}
		}
	}
}
