package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/reach"
	"github.com/fairlead/fairlead/workload/shim"
)

// box is a sandbox as its owner, a shim or a job's runtime, sees it: a shim-init
// and all that runs under it. Its methods are for one goroutine.
type box struct {
	protections []workload.Protection // those that hold for every start
	setup       setup
	events      chan shim.Event // closed when the shim-init has ended

	command *exec.Cmd
	ended   <-chan struct{} // closed when the shim-init is reaped
	channel *channel
	carrier *reach.Carrier
}

// boxPlan is what a box is made from.
type boxPlan struct {
	program  string // the binary of the shim-init
	setup    setup  // without what depends on the means: Namespaces, UID, Dir of secrets
	tenant   string // sites of different tenants have different users where there is the right to
	out, err *os.File
	dial     *os.File // listening socket, or nil
	cgroup   *cgroup
	required bool
	plain    bool     // may it run without namespaces
	without  []string // protections that a test leaves out
	asked    fairlead.Resources
	devices  []workload.Device
	scratch  string             // directory for secrets without namespaces, memory-backed
	adjust   func(*setup) error // completes the setup for the means chosen: its environment and port
}

// The ways to make a sandbox, the best first.
type means int

const (
	ownUser means = iota // namespaces, and a user of the tenant's own
	oneUser              // namespaces, in which root is a name of this process's user
	plain                // no namespaces
)

// openBox makes a sandbox by the best means there is. What it lacks is in the
// box's protections, or in a *shim.Refusal when the plan cannot do without.
func openBox(ctx context.Context, plan boxPlan) (*box, error) {
	ways := []means{ownUser, oneUser, plain}
	if os.Geteuid() != 0 {
		ways = ways[1:]
	}
	var why error
	for _, way := range ways {
		if way == plain {
			lacking := namespaceProtections(false, why.Error())
			if plan.required {
				return nil, &shim.Refusal{Reason: lackingText(lacking), Protections: lacking}
			}
			if len(plan.setup.Volumes) > 0 {
				return nil, &shim.Refusal{Reason: withoutRoot(plan.setup.Volumes, why), Protections: lacking}
			}
			if !plan.plain {
				return nil, &shim.Refusal{Reason: "no namespaces can be had here, so an instance could act as the user of Fairlead: " + why.Error(), Protections: lacking}
			}
		}
		b, err := tryBox(ctx, plan, way, why)
		if err == nil {
			return b, b.demand(plan)
		}
		if ctx.Err() != nil {
			return nil, err
		}
		why = err
	}
	return nil, why
}

// demand closes b with a refusal when a limit that the plan cannot do without is missing.
func (b *box) demand(plan boxPlan) error {
	lacking := missing(b.protections, plan.asked)
	if !plan.required || len(lacking) == 0 {
		return nil
	}
	b.close()
	return &shim.Refusal{Reason: lackingText(lacking), Protections: b.protections}
}

func namespaceProtections(enforced bool, detail string) []workload.Protection {
	var all []workload.Protection
	for _, name := range []string{workload.UserNamespace, workload.MountNamespace, workload.PidNamespace, workload.NetworkNamespace, workload.IPCNamespace, workload.UTSNamespace} {
		all = append(all, workload.Protection{Name: name, Enforced: enforced, Detail: detail})
	}
	return all
}

// tryBox makes a sandbox by one means.
func tryBox(ctx context.Context, plan boxPlan, way means, why error) (*box, error) {
	b := &box{setup: plan.setup, events: make(chan shim.Event)}
	b.setup.Namespaces = way != plain
	b.setup.UID = map[means]int{ownUser: 1000, oneUser: 0, plain: os.Getuid()}[way]
	b.setup.Processes = workload.MostProcesses
	b.setup.SecretDir = secretsDir
	if way == plain {
		b.setup.Processes = 0 // it would count all of the user's processes
		b.setup.SecretDir = plan.scratch
	}
	if slices.ContainsFunc(plan.cgroup.results, func(p workload.Protection) bool { return p.Name == workload.ProcessLimit && p.Enforced }) {
		b.setup.Processes = 0 // the cgroup counts them
	}
	b.setup.Required = requiredNames(plan.required)
	b.setup.Cgroups = len(plan.cgroup.entered)
	b.setup.Without = plan.without
	if b.setup.leavesOut(workload.ProcessLimit) {
		b.setup.Processes = 0
	}
	if err := errors.Join(os.MkdirAll(b.setup.Stage, 0o700), plan.adjust(&b.setup)); err != nil {
		return nil, err
	}
	b.describe(plan, way, why)
	if err := b.launch(plan, way); err != nil {
		return nil, err
	}
	err := b.await(ctx)
	go b.listen()
	if err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

// describe notes the protections that hold from the start.
func (b *box) describe(plan boxPlan, way means, why error) {
	switch way {
	case ownUser:
		b.protections = namespaceProtections(true, "")
		b.protections[0].Detail = fmt.Sprintf("runs as user %d of the machine", workload.TenantUser(plan.tenant))
	case oneUser:
		b.protections = namespaceProtections(true, "")
		b.protections[0].Detail = "runs as the user of Fairlead, without its rights"
	case plain:
		b.protections = namespaceProtections(false, why.Error())
	}
	for _, p := range plan.cgroup.results {
		if p.Name == workload.ProcessLimit && !p.Enforced && b.setup.Processes > 0 {
			continue // RLIMIT_NPROC takes its place, and is reported by the start
		}
		b.protections = append(b.protections, p)
	}
	memory := workload.Protection{Name: workload.SecretsInMemory, Enforced: true, Detail: "ramfs, never swapped"}
	if way == plain {
		memory = workload.Protection{Name: workload.SecretsInMemory, Detail: "tmpfs of the machine, which may be swapped"}
	}
	scratch := workload.Protection{Name: workload.ScratchLimit, Enforced: true, Detail: fmt.Sprintf("%d MiB in /tmp, %d MiB in /dev/shm", b.setup.tempSize()>>20, b.setup.Shm>>20)}
	if way == plain {
		scratch = workload.Protection{Name: workload.ScratchLimit, Detail: "temporary files are on a disk of the machine"}
	}
	b.protections = append(b.protections, memory, scratch)
	if len(plan.devices) > 0 {
		b.protections = append(b.protections, deviceProtection(plan.devices, b.setup.Devices, b.setup.Namespaces))
	}
	for i, p := range b.protections {
		if b.setup.leavesOut(p.Name) {
			b.protections[i] = workload.Protection{Name: p.Name, Detail: leftOut}
		}
	}
}

// leftOut is the detail of a protection that a test leaves out.
const leftOut = "left out"

// attributes are those of a shim-init's process.
func attributes(plan boxPlan, way means) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if way == plain {
		return a
	}
	a.Cloneflags = unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID
	for name, flag := range map[string]uintptr{workload.NetworkNamespace: unix.CLONE_NEWNET, workload.IPCNamespace: unix.CLONE_NEWIPC, workload.UTSNamespace: unix.CLONE_NEWUTS} {
		if !slices.Contains(plan.without, name) {
			a.Cloneflags |= flag
		}
	}
	a.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	a.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	if way == ownUser {
		user := workload.TenantUser(plan.tenant)
		a.UidMappings = append(a.UidMappings, syscall.SysProcIDMap{ContainerID: 1000, HostID: user, Size: 1})
		a.GidMappings = append(a.GidMappings, syscall.SysProcIDMap{ContainerID: 1000, HostID: user, Size: 1})
		a.GidMappingsEnableSetgroups = true
	}
	return a
}

// launch starts the shim-init and hands it its setup.
func (b *box) launch(plan boxPlan, way means) error {
	channel, theirs, err := newChannel()
	if err != nil {
		return err
	}
	defer theirs.Close()
	in, setupEnd, err := os.Pipe()
	if err != nil {
		return errors.Join(err, channel.conn.Close())
	}
	defer in.Close()
	defer setupEnd.Close()
	dial := plan.dial
	if dial == nil {
		dial = in // a place holder: descriptors keep their numbers
	}
	b.command = &exec.Cmd{
		Path: plan.program, Args: []string{"fairlead", InitName}, Env: []string{}, Dir: "/",
		Stdin: in, Stdout: plan.out, Stderr: plan.err,
		ExtraFiles:  append([]*os.File{theirs, dial}, plan.cgroup.entered...),
		SysProcAttr: attributes(plan, way),
	}
	if way == ownUser { // the app opens /dev/stdout by name
		user := workload.TenantUser(plan.tenant)
		if err := errors.Join(plan.out.Chown(user, user), plan.err.Chown(user, user)); err != nil {
			return errors.Join(err, channel.conn.Close())
		}
	}
	if b.ended, err = shim.StartKept(b.command); err != nil {
		return errors.Join(noNamespaces(err), channel.conn.Close())
	}
	b.channel = channel
	in.Close()
	setupEnd.SetWriteDeadline(time.Now().Add(setupTime))
	if err := json.NewEncoder(setupEnd).Encode(b.setup); err != nil {
		go b.listen()
		b.close()
		return fmt.Errorf("hand over the setup: %w", err)
	}
	return nil
}

// noNamespaces says why a process in new namespaces could not be made, in words for
// who has to change it.
func noNamespaces(err error) error {
	var errno syscall.Errno
	errors.As(err, &errno)
	switch errno {
	case unix.ENOSPC, unix.EUSERS:
		return fmt.Errorf("user.max_user_namespaces allows no more namespaces: %w", errno)
	case unix.EPERM:
		return fmt.Errorf("this user may make no namespaces here: %w", errno)
	}
	return fmt.Errorf("make namespaces: %w", err)
}

// await waits for a sandbox that is ready, and takes its listeners.
func (b *box) await(ctx context.Context) error {
	b.channel.conn.SetReadDeadline(time.Now().Add(setupTime))
	stop := context.AfterFunc(ctx, func() { b.channel.conn.SetReadDeadline(time.Unix(1, 0)) })
	var first shim.Event
	files, err := b.channel.receive(&first)
	stop()
	b.channel.conn.SetReadDeadline(time.Time{})
	switch {
	case err != nil:
		return fmt.Errorf("set up the sandbox: %w", err)
	case first.Kind != ready:
		closeAll(files)
		return errors.New(first.Error)
	}
	b.protections = append(b.protections, first.Protections...)
	targets := make([]string, len(b.setup.Reach))
	for i, rule := range b.setup.Reach {
		targets[i] = rule.Target
	}
	b.carrier, err = reach.Carry(files, targets)
	return err
}

// listen hands on the shim-init's events until it hangs up.
func (b *box) listen() {
	defer close(b.events)
	for {
		var e shim.Event
		files, err := b.channel.receive(&e)
		if err != nil {
			return
		}
		closeAll(files)
		e.Protections = b.merge(e.Protections)
		b.events <- e
	}
}

func (b *box) start() error { return b.channel.send(command{Do: "start"}) }

func (b *box) signal(signal syscall.Signal) error {
	return b.channel.send(command{Do: "signal", Signal: int(signal)})
}

func (b *box) killApp() error { return b.channel.send(command{Do: "kill"}) }

// close kills everything in the sandbox and waits until it is gone.
func (b *box) close() {
	if !b.setup.Namespaces { // without a pid namespace only the shim-init can find what it started
		b.killApp()
		b.channel.conn.CloseWrite()
		select {
		case <-b.ended:
		case <-b.drained(2 * time.Second):
		}
	}
	b.command.Process.Kill() // one that has ended is no fault
	<-b.ended
	b.channel.conn.Close()
	for range b.events { // listen ends with the channel
		continue
	}
	if b.carrier != nil {
		b.carrier.Close()
	}
}

// drained takes events that nobody wants any more until they end, at most for d.
func (b *box) drained(d time.Duration) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		timeout := time.After(d)
		for {
			select {
			case _, ok := <-b.events:
				if !ok {
					return
				}
			case <-timeout:
				return
			}
		}
	}()
	return done
}

// merge adds the protections of a start to those of the box.
func (b *box) merge(start []workload.Protection) []workload.Protection {
	return append(slices.Clone(b.protections), start...)
}

// requiredNames are the protections that a start itself must have.
func requiredNames(required bool) []string {
	if !required {
		return nil
	}
	return atStart()
}
