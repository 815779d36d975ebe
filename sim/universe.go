package sim

import (
	"context"
	"time"

	"github.com/fairlead/fairlead"
)

// universe is a whole installation with its machine, its clients and its people.
type universe struct {
	world    *world
	sites    []*site
	store    *store
	machine  *machine
	gate     *gate
	control  *control
	promises *promises
	faults   faults
	report   *Report

	open     func() (Database, error) // of a real database at a start of a control plane, may be nil
	controls int
	wallOff  time.Duration // of the wall clock from the world's time
	diskFull bool
	wasFull  bool
	cut      bool // no command reaches the gateway
	settling bool // no more faults
	over     bool
	units    uint64
	calls    uint64
}

func newUniverse(seed uint64, trace func(string)) *universe {
	w := newWorld(seed, trace)
	u := &universe{world: w, report: &Report{Seed: seed}}
	u.sites = newSites(w)
	crowd(seed, u.sites)
	u.faults = newFaults(w)
	u.store = newStore(w)
	u.machine = newMachine(w, u.sites)
	u.machine.lingering, u.machine.begun = lingering(seed), func(i *instance) { u.promises.meets(i) }
	u.gate = newGate(u)
	u.promises = newPromises(u)
	u.store.before = u.beforeWrite
	u.store.after = func(what string) { u.diesAt("after writing " + what) }
	u.store.changed, u.store.breaks = u.promises.committed, u.promises.breaks
	return u
}

func (u *universe) beforeWrite(what string) error {
	u.diesAt("before writing " + what)
	if u.diskFull {
		return fairlead.Errorf(fairlead.Unavailable, "commit a change", "%w", errDiskFull)
	}
	return nil
}

// diesAt kills the control plane that is writing now, sometimes.
func (u *universe) diesAt(what string) {
	if t := u.world.current; t != nil && u.world.likely(u.faults.crash) {
		t.process.kill("at " + what)
	}
}

// wall returns what the machine's clock shows.
func (u *universe) wall() time.Time { return u.world.time().Add(u.wallOff) }

func (u *universe) siteOf(id fairlead.Site) *site { return u.machine.sites[id] }

// release implements rollout.Releases.
func (u *universe) release(_ context.Context, app string, number int) (fairlead.Release, error) {
	return u.siteOf(fairlead.Site{App: app, Env: "production"}).script(number).release, nil
}

func (u *universe) faulty() bool { return !u.settling && u.faults.any }

// begin sets everything in motion.
func (u *universe) begin() {
	u.gate.start()
	u.startControl()
	for _, s := range u.sites {
		u.clients(s)
		u.people(s)
	}
	u.keepControl()
	u.harass()
}

// keepControl starts a control plane again some time after one died.
func (u *universe) keepControl() {
	u.world.every(100*time.Millisecond, func() bool {
		if c := u.control; c != nil && (c.dead || c.ctx.Err() != nil && c.idle()) {
			u.control = nil
			c.kill("it ended")
			u.report.Crashes++
			u.promises.unmended()
			if u.faults.clock && !u.settling {
				u.wallOff = u.world.between(-time.Hour, time.Hour)
			}
			u.world.after(u.downtime(), u.startControl)
		}
		return !u.over
	})
}

// downtime is how long nobody attends the gateway after a crash.
func (u *universe) downtime() time.Duration {
	if u.world.likely(0.2) {
		return u.world.between(10*time.Second, 40*time.Second)
	}
	return u.world.between(100*time.Millisecond, 3*time.Second)
}

// done reports whether people have nothing left to do and everything is at rest.
func (u *universe) done() bool {
	if u.control == nil || u.control.loop == nil || u.gate.core == nil {
		return false
	}
	for _, s := range u.sites {
		r := u.promises.rolloutAt(s.id)
		if s.deployed < len(s.scripts) || r == nil || r.Phase != "ended" {
			return false
		}
	}
	return true
}

// newestEntry returns the time of the newest entry.
func (u *universe) newestEntry() time.Time {
	if len(u.store.entries) == 0 {
		return time.Time{}
	}
	return u.store.entries[len(u.store.entries)-1].Time
}
