package sim

import (
	"context"
	"iter"
	"slices"
	"time"
)

// process is a program that runs in the world and can be killed at any point at
// which it touches the world.
type process struct {
	world *world
	name  string
	tasks []*task
	dead  bool
	why   string // it died
}

// task is a thread of a process. It runs until it sleeps, so that no two threads
// run at the same time and the order of all steps is the world's.
type task struct {
	process *process
	next    func() (time.Duration, bool)
	stop    func()
	yield   func(time.Duration) bool
	over    bool
}

// killed unwinds a task whose process died.
type killed struct{}

// spawn starts a thread.
func (p *process) spawn(body func()) {
	if p.dead {
		return
	}
	t := &task{process: p}
	t.next, t.stop = iter.Pull(func(yield func(time.Duration) bool) {
		defer func() {
			if r := recover(); r != nil && r != any(killed{}) {
				panic(r)
			}
		}()
		t.yield = yield
		body()
	})
	p.tasks = append(p.tasks, t)
	p.world.after(0, func() { p.resume(t) })
}

func (p *process) resume(t *task) {
	if t.over {
		return
	}
	p.world.current = t
	d, more := t.next()
	p.world.current = nil
	if more {
		p.world.after(d, func() { p.resume(t) })
		return
	}
	t.over = true
	p.tasks = slices.DeleteFunc(p.tasks, func(other *task) bool { return other == t })
}

// idle reports whether no thread is left.
func (p *process) idle() bool { return len(p.tasks) == 0 }

// kill ends the process here and now. When one of its own threads is running, kill
// does not return.
func (p *process) kill(why string) {
	if !p.dead {
		p.dead, p.why = true, why
		p.world.say("%s dies: %s", p.name, why)
	}
	for _, t := range slices.Clone(p.tasks) {
		if t != p.world.current && !t.over {
			t.over = true
			t.stop()
		}
	}
	if p.world.current != nil && p.world.current.process == p {
		panic(killed{})
	}
	p.tasks = nil
}

// sleep lets d pass for the running thread; outside of any it does nothing.
func (w *world) sleep(d time.Duration) {
	t := w.current
	if t == nil {
		return
	}
	if !t.yield(d) {
		panic(killed{})
	}
	w.current = t
}

// sleepUnder is sleep as the loop asks for it: one that ctx ends at once.
func (w *world) sleepUnder(ctx context.Context, d time.Duration) {
	if ctx.Err() == nil {
		w.sleep(d)
	}
}
