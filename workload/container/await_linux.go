package container

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/fairlead/fairlead/workload/shim"
)

// await waits for the end of a run and tells what it was.
func (b *body) await(r *run) shim.Event {
	for {
		if r.engine.Podman() {
			r.lastWhile(b.ctx)
		}
		code, err := r.engine.exitOf(b.ctx, r.id)
		lost := time.Now()
		if err == nil {
			return b.ended(r, code)
		}
		if b.ctx.Err() != nil {
			return shim.Event{Kind: shim.Exited, Code: -1, Signal: int(syscall.SIGKILL)}
		}
		if gone(err) {
			return b.removed()
		}
		if e, over := b.rejoin(r, lost); over {
			return e
		}
	}
}

// stillEvery is how often a run is looked at that lasts, which asks no engine.
const stillEvery = 250 * time.Millisecond

// lastWhile returns when a run seems over: its first process has ended, or its output
// has, as it also does when the engine is lost. Podman's own wait opens its database again
// and again without a pause, which costs all the processor time that is free for as long
// as a container runs: it is asked when it has an answer.
func (r *run) lastWhile(ctx context.Context) {
	look := time.NewTicker(stillEvery)
	defer look.Stop()
	for !r.main.ended() {
		select {
		case <-r.copied:
			return
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
}

// exitOf waits until a container ends and returns its exit status.
func (e *Engine) exitOf(ctx context.Context, id string) (int, error) {
	wait := e.api.ContainerWait(ctx, id, client.ContainerWaitOptions{Condition: container.WaitConditionNotRunning})
	select {
	case result := <-wait.Result:
		if result.Error != nil {
			return 0, errors.New(result.Error.Message)
		}
		return int(result.StatusCode), nil
	case err := <-wait.Error:
		return 0, err
	}
}

// ended tells the end of a run whose exit status is known.
func (b *body) ended(r *run, code int) shim.Event {
	ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	b.mu.Lock()
	asked := b.asks
	b.mu.Unlock()
	e := exited(code)
	if !asked && leaving(r.engine.Host) {
		return b.engineLeft()
	}
	if code == exitMemory {
		b.countMemory()
		return e
	}
	killed := e.Signal == int(syscall.SIGKILL) && !asked
	found, err := r.engine.api.ContainerInspect(ctx, r.id, client.ContainerInspectOptions{})
	for deadline := time.Now().Add(removalTime); killed && unexplained(found.Container.State, err) && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
		found, err = r.engine.api.ContainerInspect(ctx, r.id, client.ContainerInspectOptions{})
	}
	switch {
	case !asked && (gone(err) || err == nil && removing(found.Container.State)):
		return b.removed()
	case err == nil && found.Container.State != nil && found.Container.State.OOMKilled:
		b.countMemory()
	}
	return e
}

// removalTime is how long a kill that nothing explains may be the beginning of a
// removal by hand: who removes a container kills it first, and a busy engine takes its
// time for the rest.
const removalTime = time.Second

// unexplained reports whether a killed container is there as before, and was not killed
// for memory.
func unexplained(state *container.State, err error) bool {
	return err == nil && !removing(state) && (state == nil || !state.OOMKilled)
}

func (b *body) countMemory() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.oom++
}

func removing(state *container.State) bool {
	return state != nil && (state.Dead || state.Status == container.StateRemoving)
}

// exited is the event of an exit status: one above 128 is that of a signal, which a
// container's engine tells no other way.
func exited(code int) shim.Event {
	if code == exitMemory {
		return shim.Event{Kind: shim.Exited, Code: -1, Signal: int(syscall.SIGKILL)}
	}
	if code > 128 && code < 128+65 {
		return shim.Event{Kind: shim.Exited, Code: -1, Signal: code - 128}
	}
	return shim.Event{Kind: shim.Exited, Code: code}
}

// removed tells that somebody removed the container.
func (b *body) removed() shim.Event {
	b.id = ""
	return shim.Event{Kind: shim.Exited, Code: -1, Error: "its container was removed by hand", Blameless: true}
}

func (b *body) engineLeft() shim.Event {
	return shim.Event{Kind: shim.Exited, Code: -1, Error: "its container engine was stopped, and its container with it", Blameless: true}
}

// leaving reports whether an engine takes no connections any more, as one does that is
// stopping and ends its containers.
func leaving(host string) bool {
	conn, err := net.DialTimeout("unix", strings.TrimPrefix(host, "unix://"), 5*time.Second)
	if err == nil {
		conn.Close()
	}
	return err != nil
}

// rejoin waits, after the engine was lost, until it is there again or the container
// has ended, and goes on taking the output from when it was lost. over says that the
// run is over, with the event that tells so.
func (b *body) rejoin(r *run, lost time.Time) (e shim.Event, over bool) {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		found, err := r.engine.api.ContainerInspect(b.ctx, r.id, client.ContainerInspectOptions{})
		switch {
		case b.ctx.Err() != nil:
			return shim.Event{Kind: shim.Exited, Code: -1, Signal: int(syscall.SIGKILL)}, true
		case gone(err):
			return b.removed(), true
		case err == nil && found.Container.State != nil && found.Container.State.Running && !r.main.ended():
			b.retake(r, lost)
			return e, false
		case r.main.ended():
			return b.engineLeft(), true
		}
		select {
		case <-b.ctx.Done():
		case <-time.After(wait):
		}
	}
}

// retake takes the output again, if it broke off.
func (b *body) retake(r *run, lost time.Time) {
	select {
	case <-r.copied:
	default:
		return // the stream has held
	}
	if copied, cut, err := r.engine.follow(b.ctx, r.id, lost, b.out, b.err); err == nil {
		r.copied, r.cut = copied, cut
	}
}
