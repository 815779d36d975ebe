package sim

import (
	"cmp"
	"slices"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/workload"
)

// machine runs instances. It goes on without any control plane, and refuses
// orders of a term that is over.
type machine struct {
	world     *world
	sites     map[fairlead.Site]*site
	instances map[string]*instance
	term      uint64
	ends      map[rollout.Place]int // how often instances ended by themselves and were restarted
	lingering float64               // share of instances that outlive their shim
	begun     func(*instance)       // told of each instance that starts
}

// instance is one replica under its shim.
type instance struct {
	status  workload.Status
	script  *script
	order   fairlead.Order
	calls   map[*call]bool // in flight in it
	stopped bool           // by an order
	hurt    time.Duration  // when it last ended by itself or was killed
	lingers bool           // its shim is dead, and what it ran goes on until somebody clears it
}

// runs reports whether anything of the instance runs.
func (i *instance) runs() bool { return !i.status.State.Over() || i.lingers }

func newMachine(w *world, sites []*site) *machine {
	m := &machine{world: w, sites: map[fairlead.Site]*site{}, instances: map[string]*instance{}, ends: map[rollout.Place]int{}}
	for _, s := range sites {
		m.sites[s.id] = s
	}
	return m
}

// admit refuses an order of an earlier term.
func (m *machine) admit(order fairlead.Order) error {
	if order.Term < m.term {
		return fairlead.Errorf(fairlead.Conflict, "take an order", "order %s is of an earlier term than %d", order, m.term)
	}
	m.term = order.Term
	return nil
}

func (m *machine) list() []workload.Status {
	all := make([]workload.Status, 0, len(m.instances))
	for _, i := range m.instances {
		all = append(all, i.status)
	}
	slices.SortFunc(all, func(a, b workload.Status) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

func (m *machine) start(order fairlead.Order, id string, p rollout.Place, ordered time.Time) error {
	if err := m.admit(order); err != nil {
		return err
	}
	if m.instances[id] != nil {
		return nil
	}
	s := m.sites[p.Site].script(p.Release)
	i := &instance{script: s, order: order, calls: map[*call]bool{}}
	i.status = workload.Status{
		ID: id, Site: p.Site, Release: p.Release, Digest: s.release.Digest, State: workload.Starting,
		Address: "pass:/run/" + id, Started: ordered, Protections: []workload.Protection{},
	}
	m.instances[id] = i
	m.begun(i)
	m.boot(i)
	return nil
}

// boot brings an instance to what its script says.
func (m *machine) boot(i *instance) {
	m.world.after(i.script.starts, func() {
		switch {
		case i.status.State != workload.Starting:
		case i.script.refused:
			m.become(i, workload.Refused)
		case i.script.crashes:
			i.status.Restarts = 5
			m.ends[rollout.Place{Site: i.status.Site, Release: i.status.Release}] += 5
			i.status.LastExit = "exit status 1"
			m.become(i, workload.CrashLoop)
		default:
			i.status.ReadySince = m.world.time()
			m.become(i, workload.Ready)
			m.wear(i)
		}
	})
}

// wear lets an instance whose release is dying end some time after it is ready.
func (m *machine) wear(i *instance) {
	if i.script.dies == 0 {
		return
	}
	since := i.status.ReadySince
	m.world.after(time.Duration(m.world.chance.ExpFloat64()/i.script.dies*float64(time.Minute)), func() {
		if i.status.State == workload.Ready && i.status.ReadySince.Equal(since) {
			m.die(i, false)
		}
	})
}

func (m *machine) become(i *instance, s workload.State) {
	m.world.say("instance %s is %s", i.status.ID, s)
	i.status.State = s
}

// stop ends an instance on order.
func (m *machine) stop(order fairlead.Order, id string) error {
	if err := m.admit(order); err != nil {
		return err
	}
	i := m.instances[id]
	if i == nil || i.status.State.Over() {
		if i != nil {
			i.lingers = false
		}
		return nil
	}
	if !order.After(i.order) {
		return fairlead.Errorf(fairlead.Conflict, "stop "+id, "order %s is not after %s", order, i.order)
	}
	i.order, i.stopped = order, true
	m.cut(i)
	m.become(i, workload.Exited)
	return nil
}

// remove forgets an instance that is over.
func (m *machine) remove(order fairlead.Order, id string) error {
	if err := m.admit(order); err != nil {
		return err
	}
	if i := m.instances[id]; i != nil && !i.status.State.Over() {
		return fairlead.Errorf(fairlead.Conflict, "remove "+id, "it has not ended")
	}
	delete(m.instances, id)
	return nil
}

// die ends an instance by itself. With its shim it is over, else it is restarted.
func (m *machine) die(i *instance, withShim bool) {
	if i.status.State.Over() {
		return
	}
	i.hurt = m.world.now
	m.cut(i)
	if withShim {
		i.status.LastExit = "its shim died"
		i.lingers = m.world.likely(m.lingering)
		m.become(i, workload.Exited)
		return
	}
	i.status.Restarts++
	m.ends[rollout.Place{Site: i.status.Site, Release: i.status.Release}]++
	i.status.LastExit = "signal: killed"
	m.become(i, workload.Backoff)
	m.world.after(m.world.between(100*time.Millisecond, 2*time.Second), func() {
		if i.status.State == workload.Backoff {
			m.become(i, workload.Starting)
			m.boot(i)
		}
	})
}

// cut breaks the calls in flight in an instance.
func (m *machine) cut(i *instance) {
	calls := make([]*call, 0, len(i.calls))
	for c := range i.calls {
		calls = append(calls, c)
	}
	slices.SortFunc(calls, func(a, b *call) int { return cmp.Compare(a.n, b.n) })
	for _, c := range calls {
		c.cut()
	}
}

// running returns the instances that are not over, sorted.
func (m *machine) running() []*instance {
	var all []*instance
	for _, i := range m.instances {
		if !i.status.State.Over() {
			all = append(all, i)
		}
	}
	slices.SortFunc(all, func(a, b *instance) int { return cmp.Compare(a.status.ID, b.status.ID) })
	return all
}
