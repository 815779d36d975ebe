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

// end is how a run of the app ended.
type end struct {
	event  shim.Event
	gone   bool // the container is no more
	memory bool // the app was killed for memory
}

// closed is the end of a run whose owner waits no more.
func closed() end { return end{event: exited(128 + int(syscall.SIGKILL))} }

// removedByHand is that somebody removed the container.
func removedByHand() end {
	return end{event: shim.Event{Kind: shim.Exited, Code: -1, Error: "its container was removed by hand", Blameless: true}, gone: true}
}

// engineLeft is that the engine ended its containers as it stopped.
func engineLeft() end {
	return end{event: shim.Event{Kind: shim.Exited, Code: -1, Error: "its container engine was stopped, and its container with it", Blameless: true}}
}

// await waits for the end of the run, or of ctx. asked says whether the app was asked or
// made to end.
func (r *run) await(ctx context.Context, asked func() bool) end {
	for {
		if r.engine.Podman() {
			r.lastWhile(ctx)
		}
		code, err := r.exit(ctx)
		lost := time.Now()
		if err == nil {
			return r.ended(ctx, code, asked())
		}
		if ctx.Err() != nil {
			return closed()
		}
		if gone(err) {
			return removedByHand()
		}
		if e, over := r.rejoin(ctx, lost); over {
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
		case <-r.output.copied:
			return
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
}

// exit waits until the container ends and returns its exit status.
func (r *run) exit(ctx context.Context) (int, error) {
	wait := r.engine.api.ContainerWait(ctx, r.id, client.ContainerWaitOptions{Condition: container.WaitConditionNotRunning})
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
func (r *run) ended(ctx context.Context, code int, asked bool) end {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if !asked && leaving(r.engine.Host) {
		return engineLeft()
	}
	e := end{event: exited(code), memory: code == exitMemory}
	if e.memory {
		return e
	}
	killed := e.event.Signal == int(syscall.SIGKILL) && !asked
	found, err := r.engine.api.ContainerInspect(ctx, r.id, client.ContainerInspectOptions{})
	for deadline := time.Now().Add(removalTime); killed && unexplained(found.Container.State, err) && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
		found, err = r.engine.api.ContainerInspect(ctx, r.id, client.ContainerInspectOptions{})
	}
	if !asked && (gone(err) || err == nil && removing(found.Container.State)) {
		return removedByHand()
	}
	e.memory = err == nil && found.Container.State != nil && found.Container.State.OOMKilled
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
// run is over, and e how.
func (r *run) rejoin(ctx context.Context, lost time.Time) (e end, over bool) {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		found, err := r.engine.api.ContainerInspect(ctx, r.id, client.ContainerInspectOptions{})
		switch {
		case ctx.Err() != nil:
			return closed(), true
		case gone(err):
			return removedByHand(), true
		case err == nil && found.Container.State != nil && found.Container.State.Running && !r.main.ended():
			r.output.retake(ctx, lost)
			return e, false
		case r.main.ended():
			return engineLeft(), true
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}
