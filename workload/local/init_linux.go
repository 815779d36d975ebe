package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead/internal/dialpass"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/reach"
	"github.com/fairlead/fairlead/workload/shim"
)

// initProcess is a shim-init: the first process of a sandbox. It lives until its
// channel to the shim ends.
type initProcess struct {
	setup   setup
	channel *channel
	sending sync.Mutex

	mu     sync.Mutex // held from an app's fork until it is reported
	app    int        // pid of the app, 0 when none runs
	ran    bool       // an app was started before
	ofApp  shim.Event // what is known of its end before it ends: an error of shim-exec
	forked chan struct{}
}

// initMain is a shim-init's life.
func initMain() error {
	unix.Umask(0o022)
	p := &initProcess{forked: make(chan struct{}, 1)}
	if err := json.NewDecoder(os.Stdin).Decode(&p.setup); err != nil {
		return fmt.Errorf("read setup: %w", err)
	}
	var err error
	if p.channel, err = channelOf(os.NewFile(initControl, "control")); err != nil {
		return err
	}
	for fd := initControl; fd < initCgroups+p.setup.Cgroups; fd++ {
		unix.CloseOnExec(fd)
	}
	listeners, err := p.build()
	if err != nil {
		return p.send(shim.Event{Kind: shim.Failed, Error: err.Error()})
	}
	passed := make([]int, len(listeners))
	for i, file := range listeners {
		passed[i] = int(file.Fd())
	}
	if err := p.channel.send(shim.Event{Kind: ready, Protections: p.unreadable()}, passed...); err != nil {
		return err
	}
	closeAll(listeners)
	return p.serve()
}

// build makes the sandbox around this process, and the listeners of the reach
// rules, one for each.
func (p *initProcess) build() ([]*os.File, error) {
	if !p.setup.leavesOut(workload.UnreadableInit) {
		if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
			return nil, fmt.Errorf("prctl dumpable: %w", err)
		}
	}
	if !p.setup.Namespaces {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return nil, fmt.Errorf("prctl subreaper: %w", err)
		}
		return nil, writeSecrets(p.setup.SecretDir, p.setup.Secrets, os.Getuid())
	}
	if !p.setup.leavesOut(workload.UTSNamespace) {
		if err := unix.Sethostname([]byte(p.setup.Name)); err != nil {
			return nil, fmt.Errorf("set host name: %w", err)
		}
	}
	if !p.setup.leavesOut(workload.NetworkNamespace) {
		os.WriteFile("/proc/sys/net/ipv4/ip_unprivileged_port_start", []byte("0"), 0) // without it ports below 1024 cannot be bound
		if err := reach.LoopbackUp(); err != nil {
			return nil, err
		}
	}
	if p.setup.leavesOut(workload.MountNamespace) { // it still has one, so that a mount in it is its own
		return nil, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	}
	if err := enterRoot(p.setup); err != nil {
		return nil, err
	}
	return reach.Listen(p.setup.Reach)
}

// unreadable says whether other processes are kept from this one's memory,
// environment and descriptors.
func (p *initProcess) unreadable() []workload.Protection {
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err == nil && dumpable != 0 {
		err = errors.New("it is dumpable")
	}
	return []workload.Protection{outcome(workload.UnreadableInit, "not dumpable", err)}
}

func (p *initProcess) send(e shim.Event) error {
	p.sending.Lock()
	defer p.sending.Unlock()
	return p.channel.send(e)
}

// serve obeys the shim until it hangs up.
func (p *initProcess) serve() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if p.setup.Port != 0 && p.setup.Namespaces {
		listener, err := net.FileListener(os.NewFile(initDial, "dial"))
		if err != nil {
			return fmt.Errorf("dial socket: %w", err)
		}
		go dialpass.Serve(ctx, listener.(*net.UnixListener), p.dialApp) // ends with the process
	}
	go p.reap() // ends with the process
	// One thread forks every app and never ends before the process does: a plain
	// app is killed when the thread that made it ends.
	runtime.LockOSThread()
	for {
		var c command
		if _, err := p.channel.receive(&c); err != nil {
			p.killAll()
			p.waitForNone()
			return nil
		}
		if err := p.obey(c); err != nil {
			return err
		}
	}
}

func (p *initProcess) dialApp(ctx context.Context) (net.Conn, error) {
	var dialer net.Dialer
	return dialer.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p.setup.Port)))
}

func (p *initProcess) obey(c command) error {
	switch c.Do {
	case "start":
		return p.start()
	case "signal":
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.app > 0 {
			unix.Kill(p.app, unix.Signal(c.Signal)) // it is not reaped while mu is held, so the pid is its own
		}
	case "kill":
		p.killAll()
	}
	return nil
}

// start forks a shim-exec and follows it until it is the app or has failed.
func (p *initProcess) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ran {
		if err := renewScratch(p.setup); err != nil {
			return p.send(shim.Event{Kind: shim.Exited, Error: "start: " + err.Error()})
		}
	}
	p.ran = true
	ours, theirs, err := newStream()
	if err != nil {
		return err
	}
	defer ours.Close()
	files := []uintptr{uintptr(0), 1, 2, theirs.Fd()}
	for i := range p.setup.Cgroups {
		files = append(files, uintptr(initCgroups+i))
	}
	null, err := os.Open("/dev/null")
	if err != nil {
		return err
	}
	files[0] = null.Fd()
	p.app, err = syscall.ForkExec("/proc/self/exe", []string{"fairlead", ExecName}, &syscall.ProcAttr{
		Dir: "/", Files: files, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	theirs.Close()
	null.Close()
	if err != nil {
		p.app = 0
		return p.send(shim.Event{Kind: shim.Exited, Error: "start: " + err.Error()})
	}
	p.ofApp = shim.Event{}
	report := p.converse(ours)
	if report.Kind != shim.Started {
		p.ofApp = report
	}
	select {
	case p.forked <- struct{}{}:
	default:
	}
	return p.send(report)
}

// hungUp reports whether the other end of a stream is closed: also with a byte unread,
// such as the one that ends the plan.
func hungUp(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET) }

// converse tells the shim-exec at the other end of stream what to do and hears
// what became of it: it hangs up when it has become the app.
func (p *initProcess) converse(stream *os.File) shim.Event {
	stream.SetDeadline(time.Now().Add(setupTime / 2))
	plan := p.setup
	plan.Secrets = nil
	report := shim.Event{Kind: shim.Failed}
	if err := json.NewEncoder(stream).Encode(plan); err != nil {
		report.Error = "start: " + err.Error()
		return report
	}
	decoder := json.NewDecoder(stream)
	for {
		var next shim.Event
		err := decoder.Decode(&next)
		switch {
		case hungUp(err) && report.Error == "" && report.Protections != nil:
			report.Kind = shim.Started
			return report
		case err != nil && report.Error == "":
			report.Error = "start: the app's process ended before it ran"
			return report
		case err != nil:
			return report
		}
		report.Error = next.Error
		if next.Protections != nil {
			report.Protections = next.Protections
		}
		if next.Kind == shim.Refused {
			report.Kind = next.Kind
		}
	}
}

// reap waits for every child there is, and reports the app's end.
func (p *initProcess) reap() {
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOWAIT, nil)
		if errors.Is(err, unix.ECHILD) {
			<-p.forked
			continue
		}
		if err != nil {
			continue // interrupted
		}
		p.reapOne()
	}
}

// reapOne takes one ended child, which mu keeps from being taken for another.
func (p *initProcess) reapOne() {
	p.mu.Lock()
	defer p.mu.Unlock()
	var status unix.WaitStatus
	pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
	if err != nil || pid <= 0 || pid != p.app {
		return
	}
	p.app = 0
	p.killRest()
	end := shim.Event{Kind: shim.Exited, Error: p.ofApp.Error, Code: status.ExitStatus()}
	if status.Signaled() {
		end.Code, end.Signal = -1, int(status.Signal())
	}
	p.send(end) // a shim that is gone needs no report
}

func (p *initProcess) killAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.app > 0 {
		unix.Kill(-p.app, unix.SIGKILL)
		unix.Kill(p.app, unix.SIGKILL)
	}
	p.killRest()
}

// killRest kills what the app left behind. Signalling -1 is right only for the
// first process of a pid namespace, which it spares.
func (p *initProcess) killRest() {
	if p.setup.Namespaces && os.Getpid() == 1 {
		unix.Kill(-1, unix.SIGKILL)
		return
	}
	for _, pid := range children(os.Getpid()) {
		unix.Kill(pid, unix.SIGKILL)
	}
}

// waitForNone kills what is left of a sandbox without a pid namespace, whose
// orphans come to this process one generation after the other.
func (p *initProcess) waitForNone() {
	for range 100 {
		if p.setup.Namespaces || len(children(os.Getpid())) == 0 {
			return
		}
		p.killRest()
		time.Sleep(10 * time.Millisecond)
	}
}

// children lists the children of a process, of all its threads.
func children(pid int) []int {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	var found []int
	for _, file := range files {
		data, _ := os.ReadFile(file)
		for field := range strings.FieldsSeq(string(data)) {
			if child, err := strconv.Atoi(field); err == nil && child > 1 {
				found = append(found, child)
			}
		}
	}
	return found
}

// newStream returns two connected files: one with deadlines for this process and
// one for a child.
func newStream() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "stream"), os.NewFile(uintptr(fds[1]), "stream"), nil
}
