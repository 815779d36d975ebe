package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/artifact"
	"github.com/fairlead/fairlead/gateway"
	"github.com/fairlead/fairlead/internal/steadyclock"
	"github.com/fairlead/fairlead/release"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/rollout/guard"
	"github.com/fairlead/fairlead/secret"
	"github.com/fairlead/fairlead/server/images"
	"github.com/fairlead/fairlead/store/sqlite"
	"github.com/fairlead/fairlead/workload/container"
	"github.com/fairlead/fairlead/workload/shim"
)

// control is a running control plane.
type control struct {
	Config
	paths
	clock   *steadyclock.Clock
	started time.Time
	term    uint64
	end     chan bool // the argument of shutdown: end the gateway and all instances too

	store    *sqlite.Store
	trees    *artifact.Store
	vault    *secret.Vault
	images   *images.Store
	volumes  *volumes
	devices  *devices
	runtime  *shim.Runtime
	traffic  *gateway.Client
	releases *release.Maker
	gates    gates
	engine   *rollout.Engine
	fleet    fleet
	loop     *rollout.Loop
	who      *identity
	programs *tokens
	links    *links
	sessions *sessions
	verifier *verifier
	metrics  metrics
	calls    calls
	keeper   *gatewayKeeper
	entrance string // where the gateway takes traffic, host:port
	api      string // where the API listens, host:port
}

// Run runs a control plane until ctx ends or the API asks for its end. The
// gateway and the instances go on without it, unless the API asked for the end of
// everything.
func Run(ctx context.Context, c Config) (err error) {
	if err := c.check(); err != nil {
		return err
	}
	s := &control{Config: c, paths: paths{c.State}, end: make(chan bool, 1)}
	if err := s.owned("up"); err != nil {
		return err
	}
	if s.store, err = s.openStore(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.store.Close()) }()
	if s.clock, err = openClock(ctx, s.store); err != nil {
		return err
	}
	s.started = s.clock.Now()
	listeners, err := s.listen() // before anything is started, for another may have the port
	if err != nil {
		return err
	}
	defer s.unlisten(listeners)
	err = s.open(ctx)
	if s.runtime != nil {
		defer s.runtime.Close()
	}
	if s.images != nil {
		defer func() { err = errors.Join(err, s.images.Close()) }()
	}
	if s.volumes != nil {
		defer func() { err = errors.Join(err, s.volumes.dirs.Close()) }()
	}
	if err != nil {
		return err
	}
	if err := container.RunsInContainers(s.Program); err != nil {
		s.Log.Warn("no image can be run by this program", "reason", err, "hint", fairlead.HintOf(err))
	}
	return s.serve(ctx, listeners)
}

// open makes every part, from the store outward. The gateway comes last: when
// anything else fails there is nothing to end.
func (s *control) open(ctx context.Context) error {
	if err := s.assemble(ctx); err != nil {
		return err
	}
	s.keeper = s.newGatewayKeeper()
	if err := s.keeper.start(ctx); err != nil {
		return errors.Join(err, s.keeper.undo(ctx))
	}
	if err := s.keeper.upgrade(ctx); err != nil {
		return err
	}
	s.entrance = s.keeper.address
	return nil
}

// assemble makes every part but the gateway.
func (s *control) assemble(ctx context.Context) (err error) {
	s.runtime, err = shim.New(shim.Config{Root: s.run(), Shim: s.Program, Log: s.Log, Plain: s.AllowUnsandboxed, Kinds: Kinds()})
	if err != nil {
		return err
	}
	if _, err = s.running(ctx); err != nil { // what cannot be read cannot be adopted
		return err
	}
	if err = s.begin(ctx, "server.started", self, map[string]any{}); err != nil {
		return err
	}
	if err = s.openStores(ctx); err != nil {
		return err
	}
	s.images = s.newImages(s.engineHost)
	s.traffic = gateway.NewClient(s.gatewaySocket())
	s.releases = s.newMaker()
	if s.volumes, err = s.openVolumes(); err != nil {
		return err
	}
	if s.devices, err = s.openDevices(ctx); err != nil {
		return err
	}
	s.fleet = fleet{Runtime: s.runtime, program: s.Program, now: s.clock.Now, releases: s.releases, places: places{s.trees, s.images}, volumes: s.volumes, devices: s.devices, deliver: s.vault.Deliver}
	if err = errors.Join(s.endStrangers(ctx), s.devices.settle(ctx)); err != nil {
		return err
	}
	if s.engine, err = rollout.Open(ctx, s.store, s.clock.Now, rand.Reader); err != nil {
		return err
	}
	if s.gates, err = s.newGates(ctx); err != nil {
		return err
	}
	if s.programs, err = openTokens(ctx, s.store, s.clock.Now, s.openSealed); err != nil {
		return err
	}
	if s.who, err = newIdentity(s.token(), s.programs, s.store.Sealer().Seal); err != nil {
		return err
	}
	s.links = newLinks(s.clock.Now, consoleURL(s.api))
	if s.sessions, err = openSessions(ctx, s.links, s.store, s.clock.Now, s.openSealed); err != nil {
		return err
	}
	if s.verifier, err = newVerifier(ctx, s.State, s.store, s.clock.Now, s.Log); err != nil {
		return err
	}
	s.metrics = s.newMetrics()
	s.loop = rollout.NewLoop(rollout.Config{
		Engine: s.engine, Store: s.store, Fleet: s.fleet, Traffic: s.traffic, Gates: s.gates,
		Releases: s.releases.Get, Guards: deviceGuards{devices: s.devices, next: guard.Reader{}}, Term: s.term, Now: s.clock.Now, Log: s.Log,
	})
	return nil
}

// openStores opens what is kept beside the ledger, and removes what is half made.
func (s *control) openStores(ctx context.Context) (err error) {
	if err := os.MkdirAll(s.scratch(), 0o700); err != nil {
		return fmt.Errorf("make %s: %w", s.scratch(), err)
	}
	if s.trees, err = artifact.Open(s.content()); err != nil {
		return err
	}
	if s.vault, err = secret.Open(s.paths.vault(), s.vaultKey(), s.store); err != nil {
		return err
	}
	if err := s.vault.Sweep(ctx); err != nil {
		return err
	}
	return s.sweep(ctx)
}

// serve runs the loops and the API until the end. When everything shall end, the
// API answers until it has: its silence tells that all is over.
func (s *control) serve(ctx context.Context, listeners []net.Listener) error {
	calls, endCalls := context.WithCancel(context.WithoutCancel(ctx))
	defer endCalls()
	streams, endStreams := context.WithCancel(calls)
	defer endStreams()
	httpServer := &http.Server{
		Handler: endingFirst(streams, s.calls.counted(s.face())), ConnContext: withConn, BaseContext: func(net.Listener) context.Context { return calls },
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, ErrorLog: slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, len(listeners)+1)
	var loops, servers sync.WaitGroup
	work, endWork := context.WithCancel(ctx)
	defer endWork()
	loops.Go(func() { failed <- s.loop.Run(work) })
	loops.Go(func() { s.keeper.keep(work) })
	loops.Go(func() { s.verifier.run(work) })
	loops.Go(func() { s.metrics.Run(work) })
	loops.Go(func() { s.volumes.run(work) })
	loops.Go(func() { s.devices.run(work) })
	loops.Go(func() { watchClock(work, s.clock, s.Log) })
	loops.Go(func() { s.sweepImages(work) })
	for _, l := range listeners {
		servers.Go(func() { failed <- httpServer.Serve(l) })
	}
	s.Log.Info("control plane is up", "gateway", s.entrance, "api", s.api, "state", s.State, "term", s.term)
	if s.Ready != nil {
		s.Ready(Addresses{Gateway: s.entrance, API: s.api})
	}
	all, err := s.await(ctx, failed)
	endWork()
	loops.Wait()
	if all {
		err = errors.Join(err, s.endAll(), s.forgetImages())
	}
	closeErr := shut(httpServer, endStreams, endCalls)
	servers.Wait()
	if !s.calls.await() {
		s.Log.Warn("calls did not end; what they made is removed at the next start")
	}
	return errors.Join(err, closeErr)
}

// await returns when the control plane shall end, and whether all else shall too.
func (s *control) await(ctx context.Context, failed <-chan error) (all bool, err error) {
	select {
	case <-ctx.Done():
		return false, nil
	case all = <-s.end:
		return all, nil
	case err = <-failed:
		return false, err
	}
}

// shut ends the streams, lets the other calls under way end for a moment, then stops
// everything else.
func shut(h *http.Server, endStreams, stop context.CancelFunc) error {
	endStreams()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := h.Shutdown(ctx)
	stop()
	if errors.Is(err, context.DeadlineExceeded) {
		return h.Close()
	}
	return err
}

// endAll ends the instances, then the gateway. Each has its own time limit.
func (s *control) endAll() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	seq := uint64(1 << 40) // after all orders of the loop, which has ended
	var mu sync.Mutex
	order := func() fairlead.Order {
		mu.Lock()
		defer mu.Unlock()
		seq++
		return fairlead.Order{Term: s.term, Seq: seq}
	}
	return errors.Join(s.fleet.endAll(ctx, order), s.keeper.end(ctx, 5*time.Second))
}
