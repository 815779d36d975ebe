package sim

import (
	"time"
)

// faults is what goes wrong in a world, as shares of the points at which it can.
type faults struct {
	any          bool
	crash        float64       // of the control plane, at each touch of the world
	lost         float64       // commands, and answers
	late         float64       // commands
	twice        float64       // commands
	gatewayCrash float64       // at each operation on its disk
	kills        time.Duration // mean time between instances killed; 0 for never
	shims        bool          // with their shims
	power        time.Duration // mean time between losses of power
	replaced     time.Duration // mean time between replacements of the gateway
	ended        time.Duration // mean time between ends of the control plane in order
	full         time.Duration // mean time between full disks
	cut          time.Duration // mean time between cuts of the way to the gateway
	clock        bool          // the wall clock jumps
}

// newFaults draws the faults of a world. A quarter of all worlds have none.
func newFaults(w *world) faults {
	if w.likely(0.25) {
		return faults{}
	}
	f := faults{any: true}
	some := func(p float64) bool { return w.likely(p) }
	if some(0.6) {
		f.crash = oneOf(w, 0.0005, 0.002, 0.005)
	}
	if some(0.4) {
		f.lost, f.late, f.twice = 0.005, 0.005, 0.01
	}
	if some(0.3) {
		f.gatewayCrash = oneOf(w, 0.0005, 0.003)
	}
	if some(0.4) {
		f.kills, f.shims = w.between(10*time.Second, time.Minute), some(0.5)
	}
	if some(0.15) {
		f.power = w.between(40*time.Second, 2*time.Minute)
	}
	if some(0.3) {
		f.replaced = w.between(20*time.Second, time.Minute)
	}
	if some(0.3) {
		f.ended = w.between(20*time.Second, time.Minute)
	}
	if some(0.2) {
		f.full = w.between(30*time.Second, 2*time.Minute)
	}
	if some(0.2) {
		f.cut = w.between(30*time.Second, 2*time.Minute)
	}
	f.clock = some(0.3)
	return f
}

// hurtInstances reports whether faults make releases look worse than they are.
func (f faults) hurtInstances() bool {
	return f.kills > 0 || f.power > 0 || f.gatewayCrash > 0 || f.full > 0
}

// harass lets happen what does not come from within.
func (u *universe) harass() {
	u.now(u.faults.kills, u.killInstance)
	u.now(u.faults.power, u.losePower)
	u.now(u.faults.replaced, u.gate.replace)
	u.now(u.faults.ended, u.endControl)
	u.now(u.faults.full, u.fillDisk)
	u.now(u.faults.cut, u.cutWay)
}

// now and then does something, at random moments that are mean apart.
func (u *universe) now(mean time.Duration, do func()) {
	if mean <= 0 {
		return
	}
	u.world.after(time.Duration(u.world.chance.ExpFloat64()*float64(mean)), func() {
		if u.settling || u.over {
			return
		}
		do()
		u.now(mean, do)
	})
}

func (u *universe) killInstance() {
	running := u.machine.running()
	if len(running) == 0 {
		return
	}
	i := running[u.world.chance.IntN(len(running))]
	u.promises.disturbed(i.status.Site)
	u.machine.die(i, u.faults.shims && u.world.likely(0.5))
}

// losePower ends every process at once; disks keep what was synced.
func (u *universe) losePower() {
	u.world.say("the power goes")
	for _, i := range u.machine.running() {
		u.promises.disturbed(i.status.Site)
		u.machine.die(i, true)
	}
	for _, i := range u.machine.instances {
		i.lingers = false
	}
	if u.gate.core != nil {
		u.gate.die("no power", true)
	}
	if u.control != nil {
		u.control.kill("no power") // which does not return to its own threads
	}
}

// endControl asks the control plane to end; it finishes what it began.
func (u *universe) endControl() {
	if c := u.control; c != nil && !c.dead {
		u.world.say("%s is asked to end", c.name)
		c.end()
		u.world.after(15*time.Second, func() { c.kill("it took too long to end") })
	}
}

func (u *universe) fillDisk() {
	u.world.say("the disk is full")
	u.diskFull, u.wasFull = true, true
	u.world.after(u.world.between(time.Second, 20*time.Second), func() {
		u.world.say("the disk has room again")
		u.diskFull = false
	})
}

// cutWay lets no command through to the gateway for a while.
func (u *universe) cutWay() {
	u.world.say("the way to the gateway is cut")
	u.cut = true
	u.promises.unmended()
	u.world.after(u.world.between(time.Second, 40*time.Second), func() {
		u.world.say("the way to the gateway is open again")
		u.cut = false
		u.promises.unmended()
	})
}

// settle ends all faults, so that everything can come to rest.
func (u *universe) settle() {
	u.settling = true
	u.faults = faults{}
	u.diskFull, u.cut = false, false
}
