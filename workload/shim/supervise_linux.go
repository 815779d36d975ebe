package shim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// supervisor keeps one instance. Its loop owns every field but the status, which
// the control socket reads.
type supervisor struct {
	home home
	spec workload.Spec
	held holder[workload.Status]
	log  *logWriter
	kind Kind
	body Body
	out  *outputs

	stops   chan stopRequest
	probes  chan probed
	over    chan struct{} // closed when the last status is durable
	probing sync.WaitGroup
	quiet   context.CancelFunc // ends the probes of this run

	run       int // counts starts of the app
	running   bool
	started   time.Time // of this run
	verdict   string    // why the shim ended this run, if it did
	blameless bool      // it is started anew after an end that was not its fault
	failures  map[bool]int
	why       string // the newest check failed, or nothing
	policy    restarts
	oom       int
	timer     *time.Timer // what the state waits for: the next start, readiness, or the end of grace
	stopping  bool
}

// superviseInstance is the life of an instance's shim once it knows its task.
func superviseInstance(h home, kinds Kinds, a assignment, secrets workload.Secrets, begun func(error) error) error {
	kind, err := kinds.of(a.Instance.Image)
	if err != nil {
		return begun(err)
	}
	s, control, err := newSupervisor(h, kind, *a.Instance)
	if err := begun(err); err != nil {
		return err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	s.live(a.Plain, secrets, signals)
	s.finish()
	control.close()
	return s.log.close()
}

// newSupervisor records that the instance is supervised, and opens its socket.
func newSupervisor(h home, kind Kind, spec workload.Spec) (*supervisor, *controlServer, error) {
	me, err := self()
	if err != nil {
		return nil, nil, err
	}
	log, err := openLog(h.log(), logSize)
	if err != nil {
		return nil, nil, err
	}
	s := &supervisor{
		home: h, kind: kind, spec: spec, log: log,
		stops: make(chan stopRequest), probes: make(chan probed), over: make(chan struct{}),
		quiet: func() {}, failures: map[bool]int{}, timer: stoppedTimer(),
		held: holder[workload.Status]{home: h, me: me, log: log, status: workload.Status{
			ID: spec.ID, Site: spec.Site, Release: spec.Release, Digest: spec.Digest,
			State: workload.Starting, Address: "pass:" + h.dial(), Started: startedAt(spec)}},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) { respond(w, s.snapshot(), nil) })
	mux.HandleFunc("POST /v1/stop", ordered(h, func(r stopRequest) fairlead.Order { return r.Order }, s.askToStop))
	control, err := serveControl(h, mux)
	if err != nil {
		return nil, nil, errors.Join(err, log.close())
	}
	if err := s.held.record(); err != nil {
		control.close()
		return nil, nil, errors.Join(err, log.close())
	}
	return s, control, nil
}

// startedAt goes by the clock of who orders, which compares it with other times of
// its own; the machine's may have been set meanwhile.
func startedAt(spec workload.Spec) time.Time {
	if spec.Ordered.IsZero() {
		return time.Now().UTC()
	}
	return spec.Ordered
}

func (s *supervisor) snapshot() workload.Status { return s.held.snapshot() }

func (s *supervisor) change(f func(*workload.Status)) { s.held.change(f) }

// askToStop hands a stop to the loop and waits for the end.
func (s *supervisor) askToStop(ctx context.Context, r stopRequest) (any, error) {
	select {
	case s.stops <- r:
	case <-s.over:
	}
	select {
	case <-s.over:
		return s.snapshot(), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// live runs the instance until it is over.
func (s *supervisor) live(plainAllowed bool, secrets workload.Secrets, signals <-chan os.Signal) {
	if err := s.open(plainAllowed, secrets); err != nil {
		s.giveUp(err)
		return
	}
	s.startApp()
	for !s.snapshot().State.Over() {
		select {
		case e, ok := <-s.body.Events():
			if !ok {
				s.end(workload.Exited, "its sandbox was killed")
				return
			}
			s.happened(e)
		case p := <-s.probes:
			s.probed(p)
		case r := <-s.stops:
			s.stop(r.Grace)
		case <-signals:
			s.stop(10 * time.Second)
		case <-s.timer.C:
			s.timeUp()
		}
	}
}

// giveUp ends an instance whose sandbox could not be made.
func (s *supervisor) giveUp(err error) {
	var refused *Refusal
	if errors.As(err, &refused) {
		s.change(func(status *workload.Status) { status.Protections = refused.Protections })
		s.end(workload.Refused, refused.Reason)
		return
	}
	s.end(workload.CrashLoop, "the sandbox could not be made: "+err.Error())
}

// open makes the body.
func (s *supervisor) open(plainAllowed bool, secrets workload.Secrets) (err error) {
	if s.out, err = newOutputs(); err != nil {
		return err
	}
	s.out.copyTo(s.log)
	s.body, err = s.kind.Open(context.Background(), Plan{
		Home: string(s.home), Program: "/proc/self/exe", Instance: &s.spec, Secrets: secrets,
		Out: s.out.stdout, Err: s.out.stderr, Socket: s.home.dial(), Plain: plainAllowed,
	})
	for _, value := range secrets {
		clear(value)
	}
	if err == nil && s.body.Address() != s.snapshot().Address {
		s.change(func(status *workload.Status) { status.Address = s.body.Address() })
	}
	return err
}

// startApp begins a run of the app.
func (s *supervisor) startApp() {
	s.run++
	s.running, s.started, s.verdict, s.why = true, time.Now(), "", "it was not running yet"
	clear(s.failures)
	if err := s.body.Start(); err != nil {
		s.log.say("could not start: %v", err)
		return // the sandbox is ending, which its events will tell
	}
	if s.run > 1 {
		s.change(func(status *workload.Status) {
			status.State = workload.Starting
			if !s.blameless {
				status.Restarts++
			}
		})
	}
	if !s.blameless {
		s.timer.Reset(settled(s.spec.Readiness).Deadline.D())
	}
}

// watch asks a check for this run, until quiet is called.
func (s *supervisor) watch(check fairlead.Check, health bool) {
	ctx, cancel := context.WithCancel(context.Background())
	earlier, run := s.quiet, s.run
	s.quiet = func() { earlier(); cancel() }
	p := prober{port: s.spec.Port, dial: s.body.Dial, result: s.probes}
	s.probing.Go(func() { p.watch(ctx, run, check, health) })
}

func (s *supervisor) stopProbes() {
	s.quiet()
	s.quiet = func() {}
}

// happened takes an event of the body.
func (s *supervisor) happened(e Event) {
	switch e.Kind {
	case Started:
		s.change(func(status *workload.Status) { status.Protections = e.Protections })
		if s.blameless && !s.stopping {
			s.blameless = false
			s.timer.Reset(settled(s.spec.Readiness).Deadline.D())
		}
		if !s.stopping {
			s.watch(s.spec.Readiness, false)
		}
	case Refused:
		s.change(func(status *workload.Status) { status.Protections = e.Protections })
		s.end(workload.Refused, e.Error)
	case Exited:
		s.exited(e)
	}
}

// exited decides what follows the app's end.
func (s *supervisor) exited(e Event) {
	s.running = false
	s.stopProbes()
	s.timer.Stop()
	reason := e.reason()
	if s.verdict != "" {
		reason = s.verdict
	}
	if oom := s.body.OOMKills(); oom > s.oom {
		s.oom, reason = oom, "out of memory: over its limit of "+s.spec.Resources.Memory
	}
	if s.stopping {
		s.end(workload.Exited, reason)
		return
	}
	if e.Blameless {
		s.again(reason)
		return
	}
	var loop bool
	s.policy, loop = s.policy.ended(time.Since(s.started))
	if loop {
		s.end(workload.CrashLoop, reason)
		return
	}
	s.log.say("it ended: %s; it starts again in %s", reason, s.policy.wait)
	s.change(func(status *workload.Status) {
		status.State, status.LastExit, status.OOMKills, status.ReadySince = workload.Backoff, reason, s.oom, time.Time{}
	})
	s.timer.Reset(s.policy.wait)
}

// again starts the app at once after an end that is no fault of its own and does not
// count as one. It has its time to become ready from when it is started, which may
// take as long as what ended it is away.
func (s *supervisor) again(reason string) {
	s.log.say("it ended: %s; it starts again", reason)
	s.blameless = true
	s.change(func(status *workload.Status) {
		status.State, status.LastExit, status.OOMKills, status.ReadySince = workload.Backoff, reason, s.oom, time.Time{}
	})
	s.startApp()
}

// probed takes an answer of a check.
func (s *supervisor) probed(p probed) {
	if p.run != s.run || !s.running || s.stopping || s.verdict != "" {
		return
	}
	check := s.spec.Readiness
	if p.health {
		check = *s.spec.Health
	}
	s.failures[p.health]++
	s.why = p.why
	if p.ok {
		s.failures[p.health] = 0
	}
	failing := s.failures[p.health] >= settled(check).Failures
	state := s.snapshot().State
	switch {
	case p.health && failing:
		s.verdict = fmt.Sprintf("its health check failed %d times in a row: %s", s.failures[p.health], p.why)
		s.stopProbes()
		s.body.Kill()
	case !p.health && p.ok && state != workload.Ready:
		s.ready(state == workload.Starting)
	case !p.health && failing && state == workload.Ready:
		s.log.say("it is not ready any more")
		s.change(func(status *workload.Status) { status.State, status.ReadySince = workload.Unready, time.Time{} })
	}
}

func (s *supervisor) ready(first bool) {
	if first {
		s.timer.Stop()
	}
	s.log.say("it is ready after %s", time.Since(s.started).Round(time.Millisecond))
	s.change(func(status *workload.Status) { status.State, status.ReadySince = workload.Ready, time.Now().UTC() })
	if first && s.spec.Health != nil {
		s.watch(*s.spec.Health, true)
	}
}

// timeUp does what the state waited for.
func (s *supervisor) timeUp() {
	switch {
	case s.stopping:
		s.verdict = "signal: killed, as it did not end in its grace time"
		s.body.Kill()
	case s.snapshot().State == workload.Backoff:
		s.startApp()
	case s.snapshot().State == workload.Starting:
		s.end(workload.CrashLoop, s.notReady())
	}
}

// notReady says what the app did instead of becoming ready.
func (s *supervisor) notReady() string {
	reason := fmt.Sprintf("not ready within %s", settled(s.spec.Readiness).Deadline)
	if s.why != "" {
		reason += ": " + s.why
	}
	return reason
}

// stop ends the app on request. A second stop can only shorten the grace time.
func (s *supervisor) stop(grace time.Duration) {
	s.stopProbes()
	if !s.running {
		s.end(workload.Exited, s.snapshot().LastExit)
		return
	}
	if !s.stopping {
		s.stopping = true
		s.log.say("it is asked to stop")
		s.change(func(status *workload.Status) { status.State, status.ReadySince = workload.Stopping, time.Time{} })
		s.body.Signal(syscall.SIGTERM) // a sandbox that is gone is told by its events
	}
	s.timer.Reset(max(0, grace))
}

// end closes the sandbox, so that nothing of the instance runs, and then records
// the last state.
func (s *supervisor) end(state workload.State, reason string) {
	s.stopProbes()
	if s.body != nil {
		if err := s.body.Close(); err != nil {
			s.log.say("could not remove all of it: %v", err)
		}
		s.oom = max(s.oom, s.body.OOMKills())
	}
	if s.out != nil {
		s.out.close()
	}
	s.log.say("it is over: %s: %s", state, reason)
	os.Remove(s.home.dial())
	s.change(func(status *workload.Status) {
		status.State, status.LastExit, status.OOMKills, status.ReadySince = state, reason, s.oom, time.Time{}
	})
}

// finish waits for what the loop started, and lets those who wait for the end go.
func (s *supervisor) finish() {
	s.stopProbes()
	s.probing.Wait()
	s.timer.Stop()
	close(s.over)
}
