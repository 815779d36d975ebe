// Package sim runs whole installations in a world of its own: the real rollout
// engine, judge and gateway, with simulated time, machine, disk, network, clients
// and people. One thing happens at a time, in an order that a seed decides, so a
// failure is played again from its seed alone.
//
// Any touch of the world may be the last of a process: a crash is possible before
// and after every write and every command. Commands come late, twice or never;
// disks fill; power goes; clocks jump. After every step the promises are checked,
// see promises.go; what is left when people have nothing more to do is checked as
// a whole, see atrest.go.
package sim

import (
	"fmt"
	"time"
)

// Alpha and Beta are the stated errors of every rollout.
const (
	Alpha = 1.0 / 20
	Beta  = 1.0 / 20
)

// Report is what happened in a world.
type Report struct {
	Seed      uint64
	Rollouts  int           // begun
	Decisions int           // entries of rollouts
	Requests  int           // of clients
	Crashes   int           // ends of control planes
	Simulated time.Duration // time that passed in the world
	Entries   int           // of the ledger
	Unserved  int           // requests that found no instance
	Replaced  int           // releases that took the place of another
	Shrunk    int           // releases that came in beside fewer instances of another
	Waited    int           // requests that waited meanwhile, of which
	InVain    int           // waited for their whole time
	Cut       int           // calls whose instance ended
	Root      string        // of the ledger's tree: equal worlds have equal roots
	Calm      bool          // nothing went wrong but releases
	Sound     int           // sound releases that were judged
	Wronged   int           // of them, rolled back for being worse
	Worse     int           // worse releases that were judged
	Missed    int           // of them, promoted
}

// Broken is a promise that did not hold.
type Broken struct {
	Seed    uint64
	At      time.Duration
	Promise string
	Text    string
}

// Error says which promise broke, when and how to see it again.
func (b Broken) Error() string {
	return fmt.Sprintf("seed %d: after %.3f s the promise %q does not hold: %s\n\tsee it again: go test ./sim -run TestSeed -seed %d",
		b.Seed, b.At.Seconds(), b.Promise, b.Text, b.Seed)
}

// Tight reports whether there is no room for two releases at some sites of a world.
func Tight(seed uint64) bool { return tight(seed) }

// longest is the time in which every world must come to rest.
const longest = 2 * time.Hour

// Run runs the world of a seed to its end. The error is a Broken promise. trace,
// if not nil, gets a line for everything that happens.
func Run(seed uint64, trace func(line string)) (Report, error) { return RunOn(seed, trace, nil) }

// RunOn is Run with a real database beside the simulated store. open is called at
// each start of a control plane and returns the database as the one before left it:
// killed, not closed.
func RunOn(seed uint64, trace func(line string), open func() (Database, error)) (report Report, err error) {
	u := newUniverse(seed, trace)
	u.open = open
	defer func() {
		u.over = true
		switch r := recover().(type) {
		case nil:
		case Broken:
			err = r
		default:
			panic(r)
		}
		if u.control != nil {
			u.world.current = nil
			u.control.kill("the world ends")
		}
	}()
	u.begin()
	u.run()
	u.atRest()
	return *u.report, nil
}

// run lets things happen until everything is at rest.
func (u *universe) run() {
	limit := u.world.between(3*time.Minute, 10*time.Minute)
	var restSince time.Duration
	for u.world.step() {
		switch {
		case !u.done():
			restSince = u.world.now
		case u.world.now-restSince > 20*time.Second && len(u.promises.intents) == 0 || u.world.now-restSince > 2*time.Minute:
			return
		}
		if !u.settling && (u.world.now > limit || u.done()) {
			u.world.say("no more faults from here on")
			u.settle()
		}
		if u.world.now > longest {
			u.promises.breaks("everything comes to rest", "%s", u.unrest())
		}
	}
}

// Add adds what happened in another world.
func (r *Report) Add(other Report) {
	r.Rollouts += other.Rollouts
	r.Decisions += other.Decisions
	r.Requests += other.Requests
	r.Crashes += other.Crashes
	r.Simulated += other.Simulated
	r.Entries += other.Entries
	r.Unserved += other.Unserved
	r.Cut += other.Cut
	r.Replaced += other.Replaced
	r.Shrunk += other.Shrunk
	r.Waited += other.Waited
	r.InVain += other.InVain
	r.Sound += other.Sound
	r.Wronged += other.Wronged
	r.Worse += other.Worse
	r.Missed += other.Missed
}
