package gateway

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/internal/disk"
	"github.com/fairlead/fairlead/internal/unixsock"
)

const (
	defaultGrace = 30 * time.Second
	defaultHold  = 10 * time.Second
	lingerMost   = time.Second            // at a stop, for clients to see that their connection closes
	leaseCheck   = 200 * time.Millisecond // how often leases are looked at
	tidyEvery    = 10 * time.Second
	closeAfter   = 10 * time.Millisecond // past the full second, blocks are closed
	headerTime   = 10 * time.Second      // longest that a request's head may take
	clientIdle   = 2 * time.Minute       // longest that a client's connection is kept
	pingAfter    = 30 * time.Second      // an HTTP/2 connection that is silent for so long is asked whether it lives
	headerMost   = 64 << 10
)

// Config is all that a gateway needs.
type Config struct {
	Dir       string         // its state: snapshot.json, order, journal, spool/, lock; made when missing
	Listeners []net.Listener // for clients, bound; Run closes them
	Control   net.Listener   // for the control plane; nil: ControlSocket in Dir, bound with mode 0600; Run closes it
	Log       *slog.Logger
	Grace     time.Duration // longest that requests in flight get at a stop (default 30s)
	Hold      time.Duration // how long after an app was last there its requests wait for an instance (default 10s)
	Stall     time.Duration // longest that a client may take over a piece of its request's body or of its answer (default 1m)
	Clients   int           // most connections of clients (default: what the limit of open files allows, at most 20000)
	TakeOver  bool          // take the directory over from the gateway that runs in it, rather than wait for its end
	Ready     func()        // called once, when requests and commands are taken; may be nil
}

// complete gives what is not set its default.
func (c Config) complete() Config {
	c.Grace = cmp.Or(max(c.Grace, 0), defaultGrace)
	c.Hold = cmp.Or(max(c.Hold, 0), defaultHold)
	c.Stall = cmp.Or(max(c.Stall, 0), stallMost)
	c.Clients = cmp.Or(max(c.Clients, 0), crowdOf())
	return c
}

// server is a running gateway.
type server struct {
	Config
	*Core
	crowd   *crowd       // clients' connections
	conns   atomic.Int64 // of these, those that net/http has
	public  *http.Server
	control *http.Server
	failed  chan error    // of a listener
	retired chan struct{} // closed when the directory is another gateway's
	writes  patience      // of the journal
	closing atomic.Int64  // Unix nanoseconds when the last connections were told to close; 0 before
}

// Run serves until ctx ends; then it stops in order: it takes no new connections,
// lets requests in flight end for at most Grace, writes final blocks, and returns
// nil. An error means that it could not start or that a listener failed. Only one
// gateway runs in a directory: the next one waits for the lock.
func Run(ctx context.Context, c Config) error {
	s, unlock, err := start(ctx, c)
	if err != nil {
		return errors.Join(err, closeAll(append(c.Listeners, c.Control)))
	}
	defer unlock()
	var loops sync.WaitGroup
	loopCtx, stopLoops := context.WithCancel(context.Background())
	workCtx, stopWork := context.WithCancel(context.Background())
	defer stopWork()
	loops.Go(func() { s.attendLeases(loopCtx) })
	loops.Go(func() { s.closeBlocks(loopCtx) })
	s.serve(workCtx, &loops)
	s.Log.Info("gateway serves", "boot", s.boot, "dir", s.Dir)
	if s.Ready != nil {
		s.Ready()
	}
	select {
	case <-ctx.Done():
	case err = <-s.failed:
	case <-s.retired:
		loops.Go(func() { s.attendSuccessor(loopCtx) })
		err = s.giveUp(ctx, unlock)
	}
	s.drain(stopWork)
	stopLoops()
	s.WriteBlocks(time.Now(), true)
	s.control.Close()
	loops.Wait()
	s.writes.running.Wait()
	if s.proxy.retired.Load() {
		s.leave()
		return err
	}
	if c.Control == nil { // it is ours, and so is the lock still: no successor's socket is removed
		_ = os.Remove(filepath.Join(c.Dir, ControlSocket))
	}
	return errors.Join(err, s.Close())
}

// start readies a gateway to serve what its directory says.
func start(ctx context.Context, c Config) (*server, func(), error) {
	c = c.complete()
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, nil, err
	}
	unlock, before, err := enter(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	s := &server{Config: c, crowd: newCrowd(c.Clients), failed: make(chan error, len(c.Listeners)+1), retired: make(chan struct{})}
	if err := s.open(before); err != nil {
		unlock()
		return nil, nil, err
	}
	return s, unlock, nil
}

// enter takes the directory, from the gateway that has it if that is asked for.
func enter(ctx context.Context, c Config) (unlock func(), before *legacy, err error) {
	unlock, err = tryLock(c.Dir)
	if !errors.Is(err, errLocked) {
		return unlock, nil, err
	}
	if c.TakeOver {
		if before, err = takeOver(ctx, c.Dir); err != nil {
			return nil, nil, err
		}
	}
	unlock, err = lockDir(ctx, c.Dir)
	return unlock, before, err
}

func (s *server) open(before *legacy) (err error) {
	if s.Core, err = openCore(disk.OS{}, s.Dir, rand.Text(), time.Now(), s.Log, before); err != nil {
		return err
	}
	s.writes.most = journalPatience
	s.writes.slow = func() { s.Log.Error("the journal takes too long; traffic moves before it is written") }
	s.proxy.holdFor, s.proxy.stall, s.proxy.patient = s.Hold, s.Stall, s.writes.run
	if s.Control != nil {
		return nil
	}
	if s.Control, err = unixsock.Listen(filepath.Join(s.Dir, ControlSocket)); err != nil {
		return errors.Join(err, s.Close())
	}
	return nil
}

// serve starts the servers. Requests end when work does.
func (s *server) serve(work context.Context, loops *sync.WaitGroup) {
	quiet := slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug)
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	s.public = &http.Server{
		Handler: s.proxy, Protocols: &protocols, ReadHeaderTimeout: headerTime, IdleTimeout: clientIdle,
		HTTP2:          &http.HTTP2Config{WriteByteTimeout: s.Stall, SendPingTimeout: pingAfter, PingTimeout: headerTime},
		MaxHeaderBytes: headerMost, ErrorLog: quiet, ConnState: s.countConns,
		BaseContext: func(net.Listener) context.Context { return work },
	}
	c := &control{core: s.Core, pid: os.Getpid(), crowd: s.crowd, handover: s.handOver}
	s.control = &http.Server{Handler: c.handler(), ReadHeaderTimeout: headerTime, ErrorLog: quiet}
	for _, l := range s.Listeners {
		loops.Go(func() { s.report(s.public.Serve(&limited{l, s.crowd})) })
	}
	loops.Go(func() { s.report(s.control.Serve(s.Control)) })
}

// report tells Run of a listener that failed on its own.
func (s *server) report(err error) {
	if !s.proxy.stopping.Load() && !errors.Is(err, http.ErrServerClosed) {
		s.failed <- fmt.Errorf("serve: %w", err)
	}
}

func (s *server) countConns(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.conns.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.conns.Add(-1)
	}
}

// drain takes no new connections and lets requests end. Kept connections are told
// to close with their next answer, so that hardly one is closed as it is used.
func (s *server) drain(stopWork func()) {
	s.proxy.stopping.Store(true)
	closeAll(s.Listeners)
	grace, cancel := context.WithTimeout(context.Background(), s.grace())
	defer cancel()
	linger, cancelLinger := context.WithTimeout(grace, s.linger())
	defer cancelLinger()
	until(linger, func() bool { return s.conns.Load() == 0 && s.proxy.active.Load() == 0 })
	s.closing.Store(time.Now().UnixNano())
	err := s.public.Shutdown(grace)
	until(grace, func() bool { return s.proxy.active.Load() == 0 }) // those that Shutdown does not know
	if n := s.proxy.active.Load(); err != nil || n > 0 {
		s.Log.Warn("requests were cut at the stop", "requests", n, "grace", s.Grace)
	}
	stopWork()
	s.public.Close()
	rest, cancelRest := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancelRest()
	until(rest, func() bool { return s.proxy.active.Load() == 0 })
	s.proxy.mirrors.stop()
}

// until polls done until it is true or ctx ends.
func until(ctx context.Context, done func() bool) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// attendLeases lets leases run out, and tidies up, until ctx ends.
func (s *server) attendLeases(ctx context.Context) {
	lease, tidy := time.NewTicker(leaseCheck), time.NewTicker(tidyEvery)
	defer lease.Stop()
	defer tidy.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-lease.C:
			s.Expire(time.Now())
		case <-tidy.C:
			s.Tidy(time.Now())
		}
	}
}

// closeBlocks closes blocks just after each full second until ctx ends.
func (s *server) closeBlocks(ctx context.Context) {
	for {
		now := time.Now()
		timer := time.NewTimer(now.Truncate(time.Second).Add(time.Second + closeAfter).Sub(now))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
			s.WriteBlocks(time.Now(), false)
		}
	}
}

func closeAll(listeners []net.Listener) error {
	var all error
	for _, l := range listeners {
		if l == nil {
			continue
		}
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			all = errors.Join(all, err)
		}
	}
	return all
}
