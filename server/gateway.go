package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway"
	"github.com/fairlead/fairlead/store/sqlite"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/shim"
)

// gatewayService is the id of the gateway's service.
const gatewayService = "gateway"

// gatewayEvery is how often the control plane looks whether the gateway's shim
// lives. The shim itself restarts the gateway, without the control plane.
const gatewayEvery = time.Second

// gatewayKeeper starts the gateway's service, adopts one that runs, and starts it
// again when its shim died too. It is used by one goroutine at a time.
type gatewayKeeper struct {
	runtime *shim.Runtime
	store   *sqlite.Store
	now     func() time.Time
	log     *slog.Logger
	service shim.Service
	term    uint64
	seq     uint64
	address string // that takes traffic, host:port
	began   bool   // start began a service, rather than finding one
}

func (s *control) newGatewayKeeper() *gatewayKeeper {
	return &gatewayKeeper{runtime: s.runtime, store: s.store, now: s.clock.Now, log: s.Log, term: s.term, service: shim.Service{
		ID: gatewayService, Command: []string{s.Program, "gateway", "--dir", s.paths.gateway()},
		Dir: s.State, Listeners: []string{"tcp " + s.Listen}, Notify: true,
	}}
}

// dir is the gateway's own directory.
func (k *gatewayKeeper) dir() string { return k.service.Command[len(k.service.Command)-1] }

func (k *gatewayKeeper) order() fairlead.Order {
	k.seq++
	return fairlead.Order{Term: k.term, Seq: k.seq}
}

// readyWithin is how long a gateway that was started is waited for.
const readyWithin = 10 * time.Second

// failures is how often a gateway that was started may end before it is given up.
const failures = 2

// ready waits until the gateway that was started serves.
func (k *gatewayKeeper) ready(ctx context.Context) (status shim.ServiceStatus, found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	for {
		status, found, err = k.find(ctx)
		if err != nil || !found || status.State == workload.Ready {
			return status, found, err
		}
		if status.Restarts >= failures {
			return status, found, k.failed("it ends as soon as it is started (" + status.LastExit + ")")
		}
		select {
		case <-ctx.Done():
			return status, found, k.failed(fmt.Sprintf("it does not serve after %s", readyWithin))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// failed is the error of a gateway that does not come to serve, with what it wrote
// last: its log ends with it.
func (k *gatewayKeeper) failed(how string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var log strings.Builder
	if k.runtime.ServiceLogs(ctx, gatewayService, workload.LogOptions{Tail: 20}, &log) == nil {
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		for _, line := range slices.Backward(lines) {
			if _, said, ok := strings.Cut(line, "fairlead gateway: "); ok {
				how += ": " + said
				break
			}
		}
	}
	return fairlead.Errorf(fairlead.Unavailable, opGateway, "%s", how).
		WithHint("its directory is %s: what it cannot read there may be moved away, for the control plane gives it everything anew", k.dir())
}

const opGateway = "start the gateway"

// start starts the gateway or adopts the one that runs.
func (k *gatewayKeeper) start(ctx context.Context) error {
	if err := os.MkdirAll(k.dir(), 0o700); err != nil {
		return fairlead.Errorf(fairlead.Unavailable, opGateway, "make its directory: %w", err).
			WithHint("make room for it, or choose another state directory with --state")
	}
	status, found, err := k.find(ctx)
	if err == nil && found && status.State.Over() {
		found, err = false, k.runtime.RemoveService(ctx, k.order(), gatewayService)
	}
	if err == nil && !found {
		k.began = true
		if err = k.runtime.StartService(ctx, k.order(), k.service); err != nil {
			return k.unbound(err)
		}
		status, found, err = k.ready(ctx)
	}
	if err != nil {
		return err
	}
	if !found || len(status.Listeners) == 0 {
		return fairlead.Errorf(fairlead.Internal, opGateway, "it has no listener")
	}
	_, k.address, _ = strings.Cut(status.Listeners[0], " ")
	_, asked, _ := strings.Cut(k.service.Listeners[0], " ")
	if !fits(asked, k.address) {
		k.log.Warn("the gateway that runs keeps its address; to change it, end it first with: fairlead down", "address", k.address, "asked", asked)
	}
	return nil
}

// unbound puts a service that could not be started in the words of who started it.
func (k *gatewayKeeper) unbound(err error) error {
	why := errors.Unwrap(err) // without the service, which nobody has heard of
	if why == nil {
		why = err
	}
	if !strings.Contains(why.Error(), "listen ") { // a shim's error comes as text
		return &fairlead.Error{Code: fairlead.CodeOf(err), Op: opGateway, Err: why, Hint: fairlead.HintOf(err)}
	}
	return (&fairlead.Error{Code: fairlead.Conflict, Op: opGateway, Err: why}).
		WithHint("choose another address, such as: fairlead up --listen 127.0.0.1:0, which takes a free port")
}

func (k *gatewayKeeper) find(ctx context.Context) (shim.ServiceStatus, bool, error) {
	services, err := k.runtime.Services(ctx)
	for _, status := range services {
		if status.ID == gatewayService {
			return status, true, err
		}
	}
	return shim.ServiceStatus{}, false, err
}

// fits reports whether an address is the one that was asked for, or one of those
// that port 0 stands for.
func fits(asked, address string) bool {
	_, port, err := net.SplitHostPort(asked)
	return asked == address || err == nil && port == "0"
}

// keep starts the gateway again, at the same address, whenever its shim has died,
// until ctx ends.
func (k *gatewayKeeper) keep(ctx context.Context) {
	k.service.Listeners = []string{"tcp " + k.address}
	ticker := time.NewTicker(gatewayEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		status, found, err := k.find(ctx)
		if err == nil && (!found || status.State.Over()) {
			k.log.Error("the gateway's shim died; it is started again", "why", status.LastExit)
			if err = k.recordRestart(ctx, status); err == nil {
				err = k.start(ctx)
			}
		}
		if err != nil && ctx.Err() == nil {
			k.log.Error("the gateway could not be looked after; it is tried again", "error", err)
		}
	}
}

// recordRestart puts into the ledger that the gateway is started again, before it is.
func (k *gatewayKeeper) recordRestart(ctx context.Context, was shim.ServiceStatus) error {
	return record(ctx, k.store, k.now(), "server.gatewayRestarted", self, map[string]any{
		"text": "the gateway's shim had ended: " + was.LastExit + "; it is started again", "address": k.address,
	})
}

// undo ends what a start that failed began; a gateway that ran before goes on.
func (k *gatewayKeeper) undo(ctx context.Context) error {
	if !k.began {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return k.end(ctx, time.Second)
}

// end stops the gateway within grace and forgets its service, and removes what it
// leaves when it ends in the middle of something: its socket, a temporary file.
func (k *gatewayKeeper) end(ctx context.Context, grace time.Duration) error {
	err := k.runtime.StopService(ctx, k.order(), gatewayService, grace)
	if err == nil {
		err = k.runtime.RemoveService(ctx, k.order(), gatewayService)
	}
	if err == nil {
		err = errors.Join(os.RemoveAll(filepath.Join(k.dir(), gateway.ControlSocket)), sweepDir(k.dir()))
	}
	if err != nil {
		return fmt.Errorf("stop the gateway: %w", err)
	}
	return nil
}
