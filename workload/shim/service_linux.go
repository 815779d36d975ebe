package shim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/unixsock"
	"github.com/fairlead/fairlead/workload"
)

// The times of a service. One that ends by itself is started again at once when it
// has run for crashWindow, and else after the same waits as an instance, but for at
// most a second: nobody is served meanwhile. It is never given up.
const (
	serviceWait  = time.Second
	serviceReady = 30 * time.Second       // longest until a process with Notify serves
	serviceAlive = 300 * time.Millisecond // one without Notify counts as serving when it has lived so long
)

// keeper keeps one service. Its loop owns every field but the status.
type keeper struct {
	home      home
	service   Service
	me        identity
	log       *logWriter
	out       *outputs
	listeners []*os.File
	held      holder[ServiceStatus]

	now      *process   // the one that serves or will; nil between two
	next     *process   // started by a replacement that is under way
	asked    *replacing // that replacement
	left     []*process // told to end
	policy   restarts
	restart  *time.Timer
	kills    *time.Timer // end of the grace time of all in left
	stopping bool

	stops    chan stopRequest
	replaces chan *replacing
	changes  chan change
	over     chan struct{}
}

// process is one start of a service.
type process struct {
	command *exec.Cmd
	started time.Time
	serves  bool
}

// change tells the loop of a process that serves or has ended.
type change struct {
	process *process
	ended   bool
}

// replacing is a replacement that a request waits for.
type replacing struct {
	replaceRequest
	done chan error
}

func superviseService(h home, service Service, begun func(error) error) error {
	k, control, err := newKeeper(h, service)
	if err := begun(err); err != nil {
		return err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	k.live(signals)
	k.out.close()
	k.log.say("it is over")
	k.held.change(func(s *ServiceStatus) { s.State, s.Pid = workload.Exited, 0 })
	close(k.over)
	control.close()
	return k.log.close()
}

func newKeeper(h home, service Service) (*keeper, *controlServer, error) {
	me, err := self()
	if err != nil {
		return nil, nil, err
	}
	k := &keeper{home: h, service: service, me: me, restart: stoppedTimer(), kills: stoppedTimer(),
		stops: make(chan stopRequest), replaces: make(chan *replacing), changes: make(chan change), over: make(chan struct{})}
	var bound []string
	for _, text := range service.Listeners {
		file, name, err := bindListener(text)
		if err != nil {
			return nil, nil, err
		}
		k.listeners, bound = append(k.listeners, file), append(bound, name)
	}
	if k.log, err = openLog(h.log(), logSize); err != nil {
		return nil, nil, err
	}
	if k.out, err = newOutputs(); err != nil {
		return nil, nil, err
	}
	k.out.copyTo(k.log)
	k.held = holder[ServiceStatus]{home: h, me: me, log: k.log, status: ServiceStatus{ID: service.ID, State: workload.Starting,
		Listeners: bound, Command: service.Command, Started: time.Now().UTC()}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) { respond(w, k.held.snapshot(), nil) })
	mux.HandleFunc("POST /v1/stop", ordered(h, func(r stopRequest) fairlead.Order { return r.Order }, k.askToStop))
	mux.HandleFunc("POST /v1/replace", ordered(h, func(r replaceRequest) fairlead.Order { return r.Order }, k.askToReplace))
	control, err := serveControl(h, mux)
	if err != nil {
		return nil, nil, err
	}
	return k, control, k.held.record()
}

// bindListener binds "tcp host:port" or "unix /path" and returns it with its
// address as bound.
func bindListener(text string) (*os.File, string, error) {
	kind, address, _ := strings.Cut(text, " ")
	switch kind {
	case "tcp":
		listener, err := net.Listen("tcp", address)
		if err != nil {
			return nil, "", err
		}
		defer listener.Close()
		file, err := shareable(listener.(*net.TCPListener).File())
		return file, "tcp " + listener.Addr().String(), err
	case "unix":
		listener, err := unixsock.Listen(address)
		if err != nil {
			return nil, "", err
		}
		defer listener.Close()
		file, err := shareable(listener.File())
		return file, text, err
	default:
		return nil, "", fairlead.Errorf(fairlead.Invalid, "", "%q is no listener", text).WithHint(`write "tcp 127.0.0.1:8080" or "unix /path"`)
	}
}

// shareable returns a file that stays non-blocking when it is handed to processes.
// The flag belongs to the socket, which they share: os/exec would clear it by
// File.Fd, and the process that serves would then hang in accept. A file made of a
// blocking descriptor is left alone by Fd.
func shareable(file *os.File, err error) (*os.File, error) {
	if err != nil {
		return nil, err
	}
	defer file.Close()
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0) // Fd makes it blocking
	if err != nil {
		return nil, err
	}
	shared := os.NewFile(uintptr(fd), "listener")
	return shared, unix.SetNonblock(fd, true)
}

func stoppedTimer() *time.Timer {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	return timer
}

func (k *keeper) askToStop(ctx context.Context, r stopRequest) (any, error) {
	select {
	case k.stops <- r:
	case <-k.over:
	}
	select {
	case <-k.over:
		return k.held.snapshot(), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (k *keeper) askToReplace(ctx context.Context, r replaceRequest) (any, error) {
	if len(r.Command) == 0 {
		return nil, fairlead.Errorf(fairlead.Invalid, "", "the command is empty")
	}
	request := &replacing{r, make(chan error, 1)}
	select {
	case k.replaces <- request:
	case <-k.over:
		return nil, fairlead.Errorf(fairlead.Conflict, "", "it is over")
	}
	if err := <-request.done; err != nil { // the loop always answers
		return nil, err
	}
	return k.held.snapshot(), nil
}

// live runs the service until it is stopped.
func (k *keeper) live(signals <-chan os.Signal) {
	k.begin()
	for !k.stopping || len(k.left) > 0 {
		select {
		case c := <-k.changes:
			k.changed(c)
		case r := <-k.stops:
			k.stop(r.Grace)
		case <-signals:
			k.stop(10 * time.Second)
		case r := <-k.replaces:
			k.replace(r)
		case <-k.restart.C:
			k.begin()
		case <-k.kills.C:
			for _, p := range k.left {
				p.command.Process.Kill() // one that has ended is no fault
			}
		}
	}
}

// begin starts the service's process.
func (k *keeper) begin() {
	p, err := k.launch(k.service.Command, k.service.Env)
	if err != nil {
		k.again(0, err.Error())
		return
	}
	k.now = p
	k.held.change(func(s *ServiceStatus) {
		s.State, s.Pid, s.Command = workload.Starting, p.command.Process.Pid, k.service.Command
	})
}

// again plans the next start after an end.
func (k *keeper) again(ran time.Duration, reason string) {
	k.policy, _ = k.policy.ended(ran)
	wait := min(k.policy.wait, serviceWait)
	if ran >= crashWindow {
		wait = 0
	}
	k.log.say("it ended: %s; it starts again in %s", reason, wait)
	k.held.change(func(s *ServiceStatus) {
		s.State, s.Pid, s.LastExit, s.Restarts = workload.Backoff, 0, reason, s.Restarts+1
	})
	k.restart.Reset(wait)
}

// launch starts a process with the listeners, and watches it.
func (k *keeper) launch(argv []string, env map[string]string) (*process, error) {
	all := map[string]string{ListenersEnv: fmt.Sprint(len(k.listeners))}
	for name, value := range env {
		all[name] = value
	}
	p := &process{started: time.Now(), command: &exec.Cmd{
		Path: argv[0], Args: argv, Dir: k.service.Dir, Stdout: k.out.stdout, Stderr: k.out.stderr,
		ExtraFiles:  append([]*os.File(nil), k.listeners...),
		SysProcAttr: &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL},
	}}
	var ready, theirs *os.File
	if k.service.Notify {
		var err error
		if ready, theirs, err = os.Pipe(); err != nil {
			return nil, err
		}
		defer theirs.Close()
		all[ReadyEnv] = fmt.Sprint(3 + len(k.listeners))
		p.command.ExtraFiles = append(p.command.ExtraFiles, theirs)
	}
	p.command.Env = workload.Environ(all)
	ended, err := StartKept(p.command)
	if err != nil {
		if ready != nil {
			ready.Close()
		}
		return nil, err
	}
	go k.watch(p, ready, ended) // ends with the process, which the loop outlives
	return p, nil
}

// watch tells the loop when p serves and when it has ended.
func (k *keeper) watch(p *process, ready *os.File, ended <-chan struct{}) {
	serves := make(chan struct{})
	if ready == nil {
		timer := time.AfterFunc(serviceAlive, func() { close(serves) })
		defer timer.Stop()
	} else {
		go func() {
			ready.Read(make([]byte, 1)) // a byte and the end both mean ready
			close(serves)
		}()
		defer ready.Close()
	}
	select {
	case <-ended:
	case <-serves:
		select {
		case <-ended: // its end closes the pipe too
		case <-time.After(10 * time.Millisecond):
			k.changes <- change{process: p}
		}
	case <-time.After(serviceReady):
		p.command.Process.Kill()
	}
	<-ended
	k.changes <- change{process: p, ended: true}
}

// changed takes news of a process.
func (k *keeper) changed(c change) {
	p := c.process
	if !c.ended {
		p.serves = true
		switch {
		case p == k.next:
			k.takeOver()
		case p == k.now && !k.stopping:
			k.held.change(func(s *ServiceStatus) { s.State = workload.Ready })
		}
		return
	}
	reason := p.command.ProcessState.String()
	switch p {
	case k.now:
		k.now = nil
		if k.next == nil {
			k.again(time.Since(p.started), reason)
		}
	case k.next:
		k.next = nil
		k.answer(fairlead.Errorf(fairlead.Unavailable, "", "the new process ended before it served: %s", reason))
		if k.now == nil && !k.stopping {
			k.again(0, reason)
		}
	default:
		k.drop(p, reason)
	}
}

func (k *keeper) drop(p *process, reason string) {
	for i, other := range k.left {
		if other == p {
			k.left = append(k.left[:i], k.left[i+1:]...)
			break
		}
	}
	k.log.say("process %d, which was told to end, has: %s", p.command.ProcessState.Pid(), reason)
	if k.stopping {
		k.held.change(func(s *ServiceStatus) { s.LastExit = reason })
	}
}

// replace starts the new process; the old one goes on until the new one serves.
func (k *keeper) replace(r *replacing) {
	if k.stopping || k.next != nil {
		r.done <- fairlead.Errorf(fairlead.Conflict, "", "it is being stopped or replaced")
		return
	}
	p, err := k.launch(r.Command, r.Env)
	if err != nil {
		r.done <- err
		return
	}
	k.next, k.asked = p, r
}

// takeOver makes the new process the service, and tells the old one to end.
func (k *keeper) takeOver() {
	old := k.now
	k.now, k.next = k.next, nil
	k.service.Command, k.service.Env = k.asked.Command, k.asked.Env
	err := WriteNote(k.home.spec(), assignment{Protocol: protocol, Service: &k.service})
	k.restart.Stop()
	k.held.change(func(s *ServiceStatus) {
		s.State, s.Pid, s.Command = workload.Ready, k.now.command.Process.Pid, k.service.Command
	})
	k.dismiss(old, k.asked.Grace)
	k.answer(err)
}

func (k *keeper) answer(err error) {
	if k.asked != nil {
		k.asked.done <- err
		k.asked = nil
	}
}

// dismiss tells a process to end, within grace.
func (k *keeper) dismiss(p *process, grace time.Duration) {
	if p == nil {
		return
	}
	k.left = append(k.left, p)
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		k.log.say("could not signal process %d: %v", p.command.Process.Pid, err)
	}
	k.kills.Reset(max(0, grace))
}

// stop ends the service on request.
func (k *keeper) stop(grace time.Duration) {
	k.restart.Stop()
	if !k.stopping {
		k.stopping = true
		k.held.change(func(s *ServiceStatus) { s.State = workload.Stopping })
		k.answer(fairlead.Errorf(fairlead.Conflict, "", "it was stopped"))
		k.dismiss(k.now, grace)
		k.dismiss(k.next, 0)
		k.now, k.next = nil, nil
	}
	k.kills.Reset(max(0, grace))
}
