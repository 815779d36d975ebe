package server

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/store/sqlite"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/device"
	"github.com/fairlead/fairlead/workload/room"
)

// The kinds of the rows of devices: what an instance holds, keyed by its id, and why a
// device may not be given out, keyed by the device's.
const (
	holdingRow = "device"
	faultRow   = "deviceFault"
)

// fault is the value of a row of a device that failed.
type fault struct {
	Device string    `json:"device"`
	Name   string    `json:"name"`
	Why    string    `json:"why"`
	Since  time.Time `json:"since"`
}

// devices are this machine's GPUs, and who holds them. What is held is in the ledger
// before an instance starts with it, and until the instance will never run again. It is
// safe for concurrent use.
type devices struct {
	store  *sqlite.Store
	now    func() time.Time
	log    *slog.Logger
	finder device.Finder
	list   func(ctx context.Context) ([]workload.Status, error) // the runtime's instances

	mu       sync.Mutex
	seen     device.Inventory // at the newest look
	readings []device.Reading
	looked   time.Time
	watch    device.Watch
	held     map[string]device.Holding // by instance
	starting map[string]bool           // instances that are being started
	faults   map[string]fault          // by device
}

// openDevices reads who holds what, and looks for devices.
func (s *control) openDevices(ctx context.Context) (*devices, error) {
	d := &devices{
		store: s.store, now: s.clock.Now, log: s.Log, list: s.runtime.List,
		finder: device.Finder{Root: s.DeviceRoot, Run: device.Programs(s.DeviceRoot)},
	}
	return d, d.open(ctx)
}

// devicesToEnd are those that instances have, for who only ends them; nil where there is
// no ledger to read them from. What cannot be read is freed at the next start.
func (s *control) devicesToEnd(ctx context.Context) *devices {
	if s.store == nil {
		return nil
	}
	d := &devices{store: s.store, now: s.clock.Now, log: s.Log, list: s.runtime.List, starting: map[string]bool{}}
	var err error
	if d.held, err = rowsOf[device.Holding](ctx, d.store, holdingRow); err != nil {
		s.Log.Warn("who holds which GPU cannot be read; it is put right at the next start", "error", err)
		return nil
	}
	return d
}

func (d *devices) open(ctx context.Context) (err error) {
	if d.held, err = rowsOf[device.Holding](ctx, d.store, holdingRow); err != nil {
		return err
	}
	if d.faults, err = rowsOf[fault](ctx, d.store, faultRow); err != nil {
		return err
	}
	d.starting = map[string]bool{}
	d.watch = device.NewWatch(slices.Collect(maps.Keys(d.faults)))
	return d.look(ctx)
}

// rowsOf reads the rows of a kind by their keys.
func rowsOf[T any](ctx context.Context, store *sqlite.Store, kind string) (map[string]T, error) {
	rows, err := store.Rows(ctx, kind, "")
	if err != nil {
		return nil, fmt.Errorf("read devices: %w", err)
	}
	values := map[string]T{}
	for _, row := range rows {
		var value T
		if err := json.Unmarshal(row.Value, &value); err != nil {
			return nil, fairlead.Errorf(fairlead.Corrupt, "read devices", "row %s %s: %w", kind, row.Key, err).WithHint("run: fairlead ledger verify")
		}
		values[row.Key] = value
	}
	return values, nil
}

// take gives an instance its devices, the same again where it has some. What it gets is
// in the ledger when take returns; without an error the caller calls started when the
// start has ended. That there are not enough is code conflict.
func (d *devices) take(ctx context.Context, id string, p rollout.Place, ask fairlead.GPU) ([]workload.Device, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	usable := d.usable()
	if h, has := d.held[id]; has {
		return d.handOver(h)
	}
	if err := d.settleLocked(ctx); err != nil {
		return nil, err
	}
	parts, err := device.Assign(usable, d.holdings(), ask, 1)
	if err != nil {
		op := fmt.Sprintf("give %s@%d in %s its GPUs", p.Site.App, p.Release, p.Site.Env)
		return nil, fairlead.Errorf(fairlead.Conflict, op, "%w", err).WithHint("see who has them with: fairlead devices")
	}
	h := device.Holding{Instance: id, Site: p.Site, Release: p.Release, Parts: parts[0]}
	if err := d.record(ctx, "device.assigned", p.Site, d.partsText(h)+" for instance "+id, map[string]any{"instance": id, "release": p.Release, "parts": h.Parts}, holdingRow, id, h); err != nil {
		return nil, err
	}
	d.held[id] = h
	return d.handOver(h)
}

// handOver returns what a holding is on this machine now, for an instance that starts
// with it.
func (d *devices) handOver(h device.Holding) ([]workload.Device, error) {
	given := d.usable().Given(h.Parts)
	if len(given) < len(h.Parts) {
		return nil, fairlead.Errorf(fairlead.Unavailable, "start instance "+h.Instance, "a GPU that it has is not on this machine any more").
			WithHint("see which there are with: fairlead devices")
	}
	d.starting[h.Instance] = true
	return given, nil
}

// started says that the start of an instance has ended. What one got that does not run
// is free again.
func (d *devices) started(ctx context.Context, id string, failed bool) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.starting, id)
	if failed {
		d.heal(ctx)
	}
}

// ended says that an instance was stopped: what it had is free.
func (d *devices) ended(ctx context.Context, id string) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if h, has := d.held[id]; has && !d.starting[id] {
		if err := d.release(ctx, h); err != nil {
			d.log.Warn("a GPU could not be recorded as free; it is tried again", "instance", id, "error", err)
		}
	}
}

// settle frees what instances had that will never run again: those that ended by
// themselves, and those that a control plane had not started yet when it was killed.
func (d *devices) settle(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.settleLocked(ctx)
}

func (d *devices) settleLocked(ctx context.Context) error {
	if len(d.held) == 0 {
		return nil
	}
	all, err := d.list(ctx)
	if err != nil {
		return fmt.Errorf("see who has which GPU: %w", err)
	}
	alive := map[string]bool{}
	for _, s := range all {
		alive[s.ID] = !s.State.Over()
	}
	for _, h := range d.holdings() {
		if !alive[h.Instance] && !d.starting[h.Instance] {
			if err := d.release(ctx, h); err != nil {
				return err
			}
		}
	}
	return nil
}

// heal is settle where an error can wait for the next time.
func (d *devices) heal(ctx context.Context) {
	if err := d.settleLocked(ctx); err != nil && ctx.Err() == nil {
		d.log.Warn("GPUs of instances that ended are not free yet", "error", err)
	}
}

func (d *devices) release(ctx context.Context, h device.Holding) error {
	said := map[string]any{"instance": h.Instance, "release": h.Release, "parts": h.Parts}
	if err := d.record(ctx, "device.released", h.Site, d.partsText(h)+" is given back: instance "+h.Instance+" has ended", said, holdingRow, h.Instance, nil); err != nil {
		return err
	}
	delete(d.held, h.Instance)
	return nil
}

// record commits an entry about devices with a row, which a nil value deletes.
func (d *devices) record(ctx context.Context, kind string, site fairlead.Site, text string, said map[string]any, rowKind, key string, value any) error {
	row := fairlead.Row{Kind: rowKind, Key: key}
	if value != nil {
		var err error
		if row.Value, err = json.Marshal(value); err != nil {
			return fmt.Errorf("encode %s: %w", kind, err)
		}
	}
	said["text"] = text
	return recordAt(context.WithoutCancel(ctx), d.store, site, d.now().UTC(), kind, self, said, row)
}

// usable is the inventory with what failed as what it is: not to be given to anybody.
func (d *devices) usable() device.Inventory {
	v := d.seen
	v.Devices = slices.Clone(v.Devices)
	for i, one := range v.Devices {
		if f, failed := d.faults[one.ID]; failed && one.Missing == "" {
			v.Devices[i].Missing = f.Why
		}
	}
	return v
}

// holdings are sorted by instance, so that decisions do not depend on a map's order.
func (d *devices) holdings() []device.Holding {
	return slices.SortedFunc(maps.Values(d.held), func(a, b device.Holding) int { return strings.Compare(a.Instance, b.Instance) })
}

// partsText says what a holding is, such as "half of NVIDIA L4 GPU-5ad...".
func (d *devices) partsText(h device.Holding) string {
	texts := make([]string, len(h.Parts))
	for i, p := range h.Parts {
		one, _ := d.seen.Find(p.Device)
		texts[i] = p.Text(one.Name)
	}
	return strings.Join(texts, ", ")
}

// place is how the arithmetic of the machine asks for devices.
func (d *devices) place() room.Place {
	d.mu.Lock()
	defer d.mu.Unlock()
	usable, held := d.usable(), d.holdings()
	return func(promised []room.Part, wanted room.Part) (int, string) {
		if wanted.Each.GPU == nil {
			return wanted.Count, ""
		}
		var wants []device.Want
		for _, p := range promised {
			if p.Each.GPU != nil {
				wants = append(wants, device.Want{Site: p.Site, Release: p.Release, Count: p.Count, Ask: *p.Each.GPU})
			}
		}
		fit, err := device.Beside(usable, held, wants, device.Want{Site: wanted.Site, Release: wanted.Release, Count: wanted.Count, Ask: *wanted.Each.GPU})
		if err != nil {
			return fit, err.Error()
		}
		return fit, ""
	}
}
