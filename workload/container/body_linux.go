package container

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/dialpass"
	"github.com/fairlead/fairlead/internal/unixsock"
	"github.com/fairlead/fairlead/workload/shim"
)

// body is one container, in which an app is started as often as its owner says.
type body struct {
	home, owner string
	recipe      recipe
	gate        string // FIFO by which the app is let go
	vault       vault
	socket      string
	out, err    *os.File

	events  chan shim.Event
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex
	engine *Engine
	id     string // of the container
	run    *run   // that of now
	asks   bool   // the app was asked or made to end
	killed bool
	oom    int
}

func newBody(plan shim.Plan, owner string, r recipe) *body {
	ctx, cancel := context.WithCancel(context.Background())
	return &body{home: plan.Home, owner: owner, recipe: r, out: plan.Out, err: plan.Err, events: make(chan shim.Event, 16), ctx: ctx, cancel: cancel}
}

// Events implements shim.Body.
func (b *body) Events() <-chan shim.Event { return b.events }

// Address implements shim.Body.
func (b *body) Address() string { return "pass:" + b.socket }

// OOMKills implements shim.Body.
func (b *body) OOMKills() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.oom
}

// asked reports whether the app was asked or made to end.
func (b *body) asked() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asks
}

// serveDials hands out connections to the app at a socket.
func (b *body) serveDials(path string) error {
	listener, err := unixsock.Listen(path)
	if err != nil {
		return err
	}
	b.socket = path
	b.running.Go(func() {
		dialpass.Serve(b.ctx, listener, b.Dial) // it fails only with its listener, which nobody else has
	})
	return nil
}

// Dial implements shim.Body. What it connects to is this run's container: one that
// still ran when the connection was there had its address then.
func (b *body) Dial(ctx context.Context) (net.Conn, error) {
	b.mu.Lock()
	r := b.run
	b.mu.Unlock()
	if r == nil {
		return nil, errNoApp
	}
	conn, err := r.dial(ctx, b.recipe.port)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	runs := b.run == r && !r.main.ended()
	b.mu.Unlock()
	if !runs {
		return nil, errors.Join(errNoApp, conn.Close())
	}
	return conn, nil
}

var errNoApp = errors.New("the app does not run")

// Signal implements shim.Body.
func (b *body) Signal(signal syscall.Signal) error {
	b.mu.Lock()
	r := b.run
	b.asks = true
	b.mu.Unlock()
	if r == nil {
		return nil // it is being started: who asks will kill it
	}
	return r.signal(b.ctx, signal)
}

// Kill implements shim.Body.
func (b *body) Kill() error {
	b.mu.Lock()
	r := b.run
	b.asks, b.killed = true, true
	b.mu.Unlock()
	if r == nil {
		return nil // its start sees it
	}
	return r.signal(b.ctx, syscall.SIGKILL)
}

// send tells an event, unless the body is being closed.
func (b *body) send(e shim.Event) {
	select {
	case b.events <- e:
	case <-b.ctx.Done():
	}
}

// closePatience is how long an engine that is away is waited for at the end.
const closePatience = 15 * time.Second

// Close implements shim.Body.
func (b *body) Close() error {
	b.Kill()
	b.cancel()
	b.running.Wait()
	err := b.forget()
	close(b.events)
	return err
}

// forget removes what the body has on this machine and in the engine.
func (b *body) forget() error {
	b.cancel()
	b.running.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	err := Containers{}.Clear(ctx, b.home)
	for (away(err) || fairlead.CodeOf(err) == fairlead.Unavailable) && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
		err = Containers{}.Clear(ctx, b.home)
	}
	if b.engine != nil {
		err = errors.Join(err, b.engine.Close())
	}
	for _, path := range []string{b.gate, b.home + "/init"} {
		os.Remove(path) // the home's owner removes what is left
	}
	return err
}

// process is a process that is known by a descriptor, so that no other one is ever
// meant.
type process struct {
	pid int
	fd  int
}

func openProcess(pid int) (process, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return process{}, fmt.Errorf("process %d: %w", pid, err)
	}
	return process{pid: pid, fd: fd}, nil
}

// ended reports whether the process has ended.
func (p process) ended() bool {
	poll := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}
	n, err := unix.Poll(poll, 0)
	return err == nil && n == 1
}
