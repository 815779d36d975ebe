package container

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead/workload/reach"
)

// run is one run of the app in the container.
type run struct {
	engine  *Engine
	id      string
	main    process        // the first one in the container
	network *os.File       // its network namespace, or nil where it cannot be entered
	way     way            // to its address, where it cannot be entered
	gate    *os.File       // by which the app is let go
	carrier *reach.Carrier // of what it may reach, or nil
	output  *output        // of the app, or nil
}

// begin makes a run of a container that was started: it opens its first process and
// its network, which it leaves out where this user may not enter it. A process that has
// ended meanwhile is errNotRunning, for what was read by its number may be another's.
func begin(engine *Engine, found container.InspectResponse) (*run, error) {
	r := &run{engine: engine, id: found.ID}
	if found.State == nil || !found.State.Running || found.State.Pid <= 0 {
		return nil, errNotRunning
	}
	var err error
	if r.main, err = openProcess(found.State.Pid); err != nil {
		return nil, fmt.Errorf("%w: %w", errNotRunning, err)
	}
	if !inContainer(found.State.Pid, found.ID) {
		unix.Close(r.main.fd)
		return nil, errNotRunning
	}
	if r.network, err = openNetwork(found.State.Pid); err == nil && r.main.ended() {
		err = errNotRunning
	}
	if err != nil {
		if r.network != nil {
			r.network.Close()
		}
		unix.Close(r.main.fd)
		return nil, err
	}
	if r.network == nil {
		r.way = wayTo(engine.Host, addressOf(found))
	}
	return r, nil
}

// addressOf is the address of a container, or the zero one.
func addressOf(found container.InspectResponse) (at netip.Addr) {
	if found.NetworkSettings == nil {
		return at
	}
	for _, endpoint := range found.NetworkSettings.Networks {
		if endpoint.IPAddress.IsValid() {
			at = endpoint.IPAddress
		}
	}
	return at
}

// openNetwork opens the network namespace of a process, or returns nil where this user
// may not enter it.
func openNetwork(pid int) (*os.File, error) {
	network, err := os.Open(procPath(pid, "ns/net"))
	if errors.Is(err, fs.ErrPermission) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotRunning, err) // a process that has ended has none
	}
	err = inNetwork(network, func() error { return nil })
	if err == nil {
		return network, nil
	}
	if network.Close(); errors.Is(err, fs.ErrPermission) {
		return nil, nil
	}
	return nil, err
}

// errNotRunning is that a container ended before it was looked at.
var errNotRunning = errors.New("the container ended before its app was started")

// connect makes what the app may reach reachable.
func (r *run) connect(rules []reach.Rule) error {
	if len(rules) == 0 {
		return nil
	}
	if r.network == nil {
		return errUnreachable
	}
	var files []*os.File
	err := inNetwork(r.network, func() (err error) {
		files, err = reach.Listen(rules)
		return err
	})
	if err != nil {
		return err
	}
	targets := make([]string, len(rules))
	for i, rule := range rules {
		targets[i] = rule.Target
	}
	r.carrier, err = reach.Carry(files, targets)
	return err
}

// errUnreachable is that a container's network cannot be entered to lead anything out.
var errUnreachable = errors.New("network.reach needs root: only root enters a container's network")

// letGo lets the app start.
func (r *run) letGo() error {
	_, err := r.gate.Write([]byte{1})
	return err
}

// dial connects to the app.
func (r *run) dial(ctx context.Context, port int) (net.Conn, error) {
	if r.network != nil {
		return dialIn(ctx, r.network, port)
	}
	return r.way.dial(ctx, port)
}

// signal sends a signal to the container's first process, which hands it on: past the
// engine where this user may, so that it works while the engine is away.
func (r *run) signal(ctx context.Context, signal syscall.Signal) error {
	err := unix.PidfdSendSignal(r.main.fd, signal, nil, 0)
	if err == nil || errors.Is(err, unix.ESRCH) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err = r.engine.api.ContainerKill(ctx, r.id, client.ContainerKillOptions{Signal: unix.SignalName(signal)})
	if gone(err) {
		return nil
	}
	return err
}

// close frees what the run has on this machine, when its output has come.
func (r *run) close() {
	if r.output != nil {
		r.output.close()
	}
	if r.carrier != nil {
		r.carrier.Close()
	}
	if r.gate != nil {
		r.gate.Close()
	}
	if r.network != nil {
		r.network.Close()
	}
	unix.Close(r.main.fd)
}
