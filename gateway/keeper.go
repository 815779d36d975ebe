package gateway

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/atomicfile"
	"github.com/fairlead/fairlead/internal/disk"
)

// Names in the state directory.
const (
	snapshotFile = "snapshot.json"
	orderFile    = "order"
	lostSuffix   = ".unreadable"
)

// keeper takes orders: it keeps the newest snapshot on disk and in force, and the
// leases of its splits. It is safe for concurrent use.
type keeper struct {
	disk  disk.Disk
	dir   string
	proxy *proxy

	orders sync.Mutex     // held while an order is taken, also while it is written
	newest fairlead.Order // taken

	mu       sync.Mutex // never held over a write of an order, so that a slow disk keeps no lease alive
	snapshot *Snapshot  // in force; changed with both locks
	renewed  time.Time  // when the leases were renewed, on the monotonic clock
	expired  map[fairlead.Site]bool
}

// newKeeper puts the snapshot on disk in force, if there is one. Nobody attends
// its leases, so they have run out, unless a gateway before hands them over.
func newKeeper(d disk.Disk, dir string, p *proxy, now time.Time, before *legacy) (*keeper, error) {
	k := &keeper{disk: d, dir: dir, proxy: p, snapshot: &Snapshot{}, expired: map[fairlead.Site]bool{}}
	if err := readJSON(d, filepath.Join(dir, orderFile), &k.newest); err != nil {
		p.note(Event{Time: now, Kind: eventLost, Text: "the newest order cannot be read, and any is taken: " + err.Error()})
	}
	s, err := readSnapshot(d, dir)
	if s.Order.After(k.newest) {
		k.newest = s.Order // also of one that is of no use otherwise
	}
	if err != nil {
		k.lose(now, err)
	}
	if err != nil || s.Format == 0 {
		return k, nil
	}
	k.snapshot = &s
	why := "the gateway started without a control plane"
	if before != nil {
		k.inherit(before)
		why = "its lease ran out"
	}
	k.expireLocked(now, why)
	k.proxy.install(newTable(k.snapshot, k.expired, k.proxy.registry))
	return k, nil
}

// lose goes on without a snapshot, until the control plane gives one: nothing can be
// served, but commands can be taken. The file is put aside for who looks into it.
func (k *keeper) lose(now time.Time, err error) {
	k.proxy.lost.Store(true)
	file := filepath.Join(k.dir, snapshotFile)
	text := "nothing is served until a control plane gives a snapshot: " + err.Error()
	if err := k.disk.Rename(file, file+lostSuffix); err == nil {
		text += "; it is kept as " + snapshotFile + lostSuffix
	}
	k.proxy.note(Event{Time: now, Kind: eventLost, Text: text})
}

// readSnapshot reads the snapshot in dir; its format is 0 when there is none.
func readSnapshot(d disk.Disk, dir string) (s Snapshot, err error) {
	if err := readJSON(d, filepath.Join(dir, snapshotFile), &s); err != nil || s.Format == 0 {
		return s, err
	}
	if err := s.Validate(); err != nil {
		return s, fairlead.Errorf(fairlead.Corrupt, "read "+snapshotFile, "%w", err)
	}
	return s, nil
}

// readJSON reads a file; one that is not there leaves v.
func readJSON(d disk.Disk, path string, v any) error {
	data, err := disk.ReadFile(d, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := decode(bytes.NewReader(data), v); err != nil {
		return fairlead.Errorf(fairlead.Corrupt, "read "+path, "%w", err)
	}
	return nil
}

// apply puts s in force. When it returns nil, s is on disk, new requests follow
// it, and every request that chose an instance before is counted in flight.
func (k *keeper) apply(now time.Time, s *Snapshot) error {
	const op = "apply snapshot"
	if err := s.Validate(); err != nil {
		return fairlead.Errorf(fairlead.Invalid, op, "%w", err)
	}
	keep := s.Keep
	k.orders.Lock()
	defer k.orders.Unlock()
	if err := k.admit(op, s.Order); err != nil {
		return err
	}
	s, err := k.kept(s)
	if err != nil {
		return fairlead.Errorf(fairlead.Invalid, op, "%w", err)
	}
	data, err := json.Marshal(s)
	if err != nil {
		return fairlead.Errorf(fairlead.Internal, op, "%w", err)
	}
	if err := atomicfile.WriteTo(k.disk, filepath.Join(k.dir, snapshotFile), data, 0o600); err != nil {
		return fairlead.Errorf(fairlead.Unavailable, op, "%w", err)
	}
	k.newest = s.Order
	k.enforce(now, s, keep)
	return nil
}

// enforce puts a snapshot in force that is on disk. Routes that it keeps stay on
// their fallback weights.
func (k *keeper) enforce(now time.Time, s *Snapshot, keep []fairlead.Site) {
	k.mu.Lock()
	defer k.mu.Unlock()
	maps.DeleteFunc(k.expired, func(site fairlead.Site, _ bool) bool { return !slices.Contains(keep, site) })
	k.snapshot, k.renewed = s, now
	k.proxy.lost.Store(false)
	k.proxy.install(newTable(s, k.expired, k.proxy.registry))
}

// kept returns s with the routes that it keeps, as they are in force. It needs the
// lock of orders.
func (k *keeper) kept(s *Snapshot) (*Snapshot, error) {
	if len(s.Keep) == 0 {
		return s, nil
	}
	merged := Snapshot{Format: 1, Order: s.Order, Routes: slices.Clone(s.Routes)}
	for _, r := range k.snapshot.Routes {
		if slices.Contains(s.Keep, r.Site) {
			merged.Routes = append(merged.Routes, r)
		}
	}
	return &merged, merged.Validate()
}

// renew renews the leases that have not run out.
func (k *keeper) renew(now time.Time, order fairlead.Order) error {
	const op = "renew leases"
	k.orders.Lock()
	defer k.orders.Unlock()
	if err := k.admit(op, order); err != nil {
		return err
	}
	k.expire(now)
	if err := k.take(op, order); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.renewed = now
	return nil
}

// attend takes the word of a control plane that gives no order: it must not be of
// an older term, and one of a newer term is in charge from here on.
func (k *keeper) attend(op string, term uint64) error {
	k.orders.Lock()
	defer k.orders.Unlock()
	if term == k.newest.Term {
		return nil
	}
	first := fairlead.Order{Term: term}
	if err := k.admit(op, first); err != nil {
		return err
	}
	return k.take(op, first)
}

// take makes order the newest one, also after a restart. It needs the lock of orders.
func (k *keeper) take(op string, order fairlead.Order) error {
	data, err := json.Marshal(order)
	if err != nil {
		return fairlead.Errorf(fairlead.Internal, op, "%w", err)
	}
	if err := atomicfile.WriteTo(k.disk, filepath.Join(k.dir, orderFile), data, 0o600); err != nil {
		return fairlead.Errorf(fairlead.Unavailable, op, "%w", err)
	}
	k.newest = order
	return nil
}

// admit refuses an order that is not newer. It needs the lock of orders.
func (k *keeper) admit(op string, order fairlead.Order) error {
	if k.proxy.retired.Load() {
		return fairlead.Errorf(fairlead.Unavailable, op, "another gateway has taken over")
	}
	if order.After(k.newest) {
		return nil
	}
	return fairlead.Errorf(fairlead.Conflict, op, "order %s is not after %s, the newest taken", order, k.newest).
		WithHint("another control plane is in charge, or this one sends its orders out of turn")
}

// expire puts splits whose lease has run out on their fallback weights.
func (k *keeper) expire(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.expireLocked(now, "its lease ran out")
}

// expireLocked needs the lock. Without a renewal in this boot every lease has run
// out. The journal has the event before traffic moves; traffic moves even when it
// cannot be written.
func (k *keeper) expireLocked(now time.Time, why string) {
	if k.proxy.retired.Load() {
		return // the gateway in charge attends them: see follow
	}
	var events []Event
	for _, r := range k.snapshot.Routes {
		if r.Split == nil || r.Split.Lease.TTL <= 0 || k.expired[r.Site] {
			continue
		}
		if !k.renewed.IsZero() && now.Sub(k.renewed) < r.Split.Lease.TTL.D() {
			continue
		}
		k.expired[r.Site] = true
		events = append(events, Event{Time: now, Kind: eventLeaseExpired, Site: r.Site, Text: fmt.Sprintf(
			"%s: rollout %s goes from weight %s to its fallback %s", why, r.Split.Rollout, r.Split.Weight, r.Split.Lease.Fallback)})
	}
	if len(events) > 0 {
		k.proxy.note(events...)
		k.proxy.install(newTable(k.snapshot, k.expired, k.proxy.registry))
	}
}

// tidy forgets what is over: instances that left and have nothing in flight, and
// runs that are idle.
func (k *keeper) tidy(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	t := k.proxy.table.Load()
	k.proxy.registry.sweep(t)
	limit := runIdle
	for _, r := range t.sites {
		limit = max(limit, r.runLimit)
	}
	for _, state := range k.proxy.registry.states() {
		state.runs.sweep(now, limit)
	}
}

// status returns the order of the snapshot in force, and the expired sites with
// the weights that they are on.
func (k *keeper) status() (applied fairlead.Order, expired []fairlead.Site, weights []fairlead.Weight) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, r := range k.snapshot.Routes {
		if k.expired[r.Site] {
			expired = append(expired, r.Site)
			weights = append(weights, r.Split.Lease.Fallback)
		}
	}
	return k.snapshot.Order, expired, weights
}

func compareSites(a, b fairlead.Site) int {
	return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(a.Env, b.Env))
}
