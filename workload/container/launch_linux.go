package container

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/shim"
)

// Start implements shim.Body. It returns at once; an engine that is away is waited for
// until the body is closed or the app is killed.
func (b *body) Start() error {
	b.mu.Lock()
	b.asks, b.killed = false, false
	b.mu.Unlock()
	b.running.Go(b.live)
	return nil
}

// live is one run of the app, from its start to its end.
func (b *body) live() {
	r, protections, err := b.launch()
	var refusal *shim.Refusal
	switch {
	case b.ctx.Err() != nil:
		if r != nil {
			b.abandon(r)
		}
		return
	case errors.As(err, &refusal):
		b.send(shim.Event{Kind: shim.Refused, Error: refusal.Reason, Protections: refusal.Protections})
		return
	case errors.Is(err, errKilled):
		b.send(shim.Event{Kind: shim.Exited, Code: -1, Signal: int(syscall.SIGKILL)})
		return
	case err != nil && b.recipe.job:
		b.send(shim.Event{Kind: shim.Refused, Error: err.Error()})
		return
	case err != nil:
		b.send(shim.Event{Kind: shim.Exited, Error: err.Error()})
		return
	}
	b.send(shim.Event{Kind: shim.Started, Protections: protections})
	if err := r.letGo(); err != nil {
		b.send(shim.Event{Kind: shim.Exited, Error: "let the app go: " + err.Error()})
		b.abandon(r)
		return
	}
	e := r.await(b.ctx, b.asked)
	if e.gone {
		b.id = ""
	}
	b.mu.Lock()
	b.run = nil
	if e.memory {
		b.oom++
	}
	b.mu.Unlock()
	r.close()
	b.send(e.event)
}

// errKilled is that the app was killed before it ran.
var errKilled = errors.New("killed before it was started")

// abandon ends a run that nobody awaits.
func (b *body) abandon(r *run) {
	b.mu.Lock()
	b.run = nil
	b.mu.Unlock()
	unix.PidfdSendSignal(r.main.fd, unix.SIGKILL, nil, 0) // what the engine has is removed by Close
	r.output.drop()
	r.close()
}

// launch starts the container, when its engine answers.
func (b *body) launch() (*run, []workload.Protection, error) {
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		r, protections, err := b.tryLaunch()
		b.mu.Lock()
		killed := b.killed
		b.mu.Unlock()
		if killed && err != nil {
			return nil, nil, errKilled
		}
		if !away(err) && !errors.Is(err, errNoEngine) {
			return r, protections, err
		}
		select {
		case <-b.ctx.Done():
			return nil, nil, b.ctx.Err()
		case <-time.After(wait):
		}
	}
}

// errNoEngine is that no engine answers now.
var errNoEngine = errors.New("no engine answers")

// tryLaunch starts the container, and makes it first if it is not there.
func (b *body) tryLaunch() (*run, []workload.Protection, error) {
	ctx, cancel := context.WithTimeout(b.ctx, 2*time.Minute)
	defer cancel()
	engine, err := b.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	r, found, err := b.start(ctx, engine)
	for attempt := 0; attempt < 2 && (gone(err) || errors.Is(err, errNotRunning)); attempt++ {
		if err := b.discard(ctx, engine); err != nil { // removed by hand, or its network was
			return nil, nil, err
		}
		r, found, err = b.start(ctx, engine)
	}
	if err != nil {
		return nil, nil, err
	}
	protections, err := b.inspect(r, found)
	if err != nil {
		b.abandon(r)
		return nil, nil, err
	}
	b.mu.Lock()
	b.run = r
	asks, killed := b.asks, b.killed
	b.mu.Unlock()
	if killed {
		r.signal(ctx, syscall.SIGKILL)
	} else if asks {
		r.signal(ctx, syscall.SIGTERM)
	}
	return r, protections, nil
}

// inspect reads back what a container really has, and makes what the app may reach
// reachable, before the app is let go. It is a *shim.Refusal where something is missing
// that must be there.
func (b *body) inspect(r *run, found container.InspectResponse) ([]workload.Protection, error) {
	f := readFacts(found.State.Pid)
	if r.main.ended() {
		return nil, errNotRunning // and so not weaker than it must be
	}
	if r.network != nil {
		_ = noIPv6(r.network) // what is left of it is read back
	}
	all := proof{recipe: b.recipe, secrets: b.vault.detail, run: r, facts: f}.protections()
	if err := r.connect(b.recipe.rules); err != nil {
		return nil, &shim.Refusal{Reason: "what network.reach names cannot be made reachable: " + err.Error(), Protections: all}
	}
	if lacking := b.recipe.lacking(all); len(lacking) > 0 {
		return nil, &shim.Refusal{Reason: "this engine does not enforce what sandbox: required demands: " + strings.Join(lacking, ", "), Protections: all}
	}
	return all, nil
}

// open returns the connection to the engine.
func (b *body) open(ctx context.Context) (*Engine, error) {
	if b.engine != nil {
		return b.engine, nil
	}
	engine, err := Open(ctx, b.recipe.image.Engine)
	if fairlead.CodeOf(err) == fairlead.Unavailable {
		return nil, fmt.Errorf("%w: %w", errNoEngine, err)
	}
	b.engine = engine
	return engine, err
}

// owned is what this installation has in the engine.
func (b *body) owned(engine *Engine) owned {
	return owned{engine: engine, root: rootOf(b.home), owner: b.owner}
}

// discard removes the container, so that the next start makes another one.
func (b *body) discard(ctx context.Context, engine *Engine) error {
	b.id = ""
	return b.owned(engine).remove(ctx, b.recipe.name)
}

// start starts the container and opens it. Its app waits at the gate.
func (b *body) start(ctx context.Context, engine *Engine) (r *run, found container.InspectResponse, err error) {
	if b.id == "" {
		if b.id, err = b.owned(engine).create(ctx, b.recipe); err != nil {
			return nil, found, err
		}
	}
	gate, err := os.OpenFile(b.gate, os.O_RDWR|unix.O_NONBLOCK, 0) // both ends, so that opening never waits
	if err != nil {
		return nil, found, err
	}
	output, err := attach(b.ctx, engine, b.id, b.out, b.err)
	if err != nil {
		return nil, found, errors.Join(startFailed(b.recipe.image.Name, b.unattached(ctx, engine, err)), gate.Close())
	}
	_, err = engine.api.ContainerStart(ctx, b.id, client.ContainerStartOptions{})
	if err == nil {
		var result client.ContainerInspectResult
		result, err = engine.api.ContainerInspect(ctx, b.id, client.ContainerInspectOptions{})
		found = result.Container
	}
	if err == nil {
		r, err = begin(engine, found)
	}
	if err != nil {
		output.drop()
		return nil, found, errors.Join(startFailed(b.recipe.image.Name, err), gate.Close())
	}
	r.output, r.gate = output, gate
	return r, found, nil
}

// unattached finds why the container could not be attached to, which Podman prepares for
// its start then: what the start says tells more.
func (b *body) unattached(ctx context.Context, engine *Engine, err error) error {
	if away(err) || gone(err) {
		return err
	}
	_, startErr := engine.api.ContainerStart(ctx, b.id, client.ContainerStartOptions{})
	return cmp.Or(startErr, err)
}

// startFailed words a container that could not be started. What may be healed by
// making it anew is left as it is.
func startFailed(image string, err error) error {
	if away(err) || gone(err) || errors.Is(err, errNotRunning) {
		return err
	}
	if strings.Contains(err.Error(), "network") && strings.Contains(err.Error(), "not found") {
		return fmt.Errorf("%w: %w", errNotRunning, err)
	}
	return refused("start the container", image, err)
}
