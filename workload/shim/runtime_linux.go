package shim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/atomicfile"
	"github.com/fairlead/fairlead/workload"
)

// Runtime runs instances, jobs and services of this machine. It is safe for
// concurrent use, and implements workload.Runtime and workload.JobRunner.
type Runtime struct {
	config Config
	log    *slog.Logger

	at      root
	terms   *terms
	waiting sync.WaitGroup
	burying sync.Map // homes of the dead that are being cleared
	closing chan struct{}
	closed  sync.Once
}

var (
	_ workload.Runtime   = (*Runtime)(nil)
	_ workload.JobRunner = (*Runtime)(nil)
)

// New opens the state in config.Root, making it if need be, and removes what dead
// control planes and shims left half made. It starts and stops nothing: instances
// that run are found by List. The caller closes the Runtime.
func New(config Config) (*Runtime, error) {
	const op = "open the runtime"
	if !filepath.IsAbs(config.Root) {
		return nil, fairlead.Errorf(fairlead.Invalid, op, "state directory %q is not absolute", config.Root)
	}
	if config.Shim == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, fairlead.Errorf(fairlead.Internal, op, "%w", err)
		}
		config.Shim = self
	}
	r := &Runtime{config: config, log: cmp.Or(config.Log, slog.Default()), at: root(config.Root), terms: newTerms(config.Root), closing: make(chan struct{})}
	for _, dir := range []string{r.at.instances(), r.at.services(), r.at.jobs()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fairlead.Errorf(fairlead.Internal, op, "%w", err)
		}
	}
	if err := r.sweep(context.Background()); err != nil {
		return nil, fairlead.Errorf(fairlead.Internal, op, "%w", err)
	}
	r.sweepKinds()
	return r, nil
}

// Close stops waiting for the processes that this Runtime started. They go on.
func (r *Runtime) Close() error {
	r.closed.Do(func() { close(r.closing) })
	r.waiting.Wait()
	return nil
}

// Start implements workload.Runtime.
func (r *Runtime) Start(ctx context.Context, order fairlead.Order, spec workload.Spec, secrets workload.Secrets) error {
	op := "start instance " + spec.ID
	if err := r.config.Kinds.check(spec, secrets); err != nil {
		return wrap(op, err)
	}
	return wrap(op, r.begin(ctx, order, r.at.instance(spec.ID), assignment{Protocol: protocol, Instance: &spec, Plain: r.config.Plain}, secrets))
}

// begin starts a shim for a, unless one was started for its home before.
func (r *Runtime) begin(ctx context.Context, order fairlead.Order, h home, a assignment, secrets workload.Secrets) error {
	if err := r.terms.admit(order); err != nil {
		return err
	}
	if err := os.Mkdir(string(h), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	lock, err := lockHome(h, true)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := takeOrder(h, order); err != nil {
		return err
	}
	if _, err := os.Stat(h.record()); err == nil {
		return nil // started before, whatever became of it
	}
	if err := r.config.Kinds.clear(ctx, h); err != nil {
		return err
	}
	if err := WriteNote(h.spec(), a); err != nil {
		return err
	}
	if err := atomicfile.SyncDir(filepath.Dir(string(h))); err != nil {
		return err
	}
	return r.spawn(ctx, h, lock, secrets)
}

// spawn starts a shim and waits until it supervises. The shim shares the lock of
// its home until then, so that nobody starts another one in between, even if this
// process dies.
func (r *Runtime) spawn(ctx context.Context, h home, lock *os.File, secrets workload.Secrets) error {
	answer, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	defer answer.Close()
	defer theirs.Close()
	log, err := os.OpenFile(h.shimLog(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	command := exec.Command(r.config.Shim, Name, "--dir", string(h))
	command.Dir, command.Env = "/", []string{}
	command.Stdout, command.Stderr = log, log
	command.ExtraFiles = []*os.File{theirs, lock}
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := command.StdinPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	r.reap(command.Process.Pid)
	defer command.Process.Release()
	theirs.Close()
	if err := errors.Join(writeSecretsTo(in, secrets), in.Close()); err != nil {
		return fmt.Errorf("hand over the secrets: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { answer.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	text, err := io.ReadAll(io.LimitReader(answer, 4096))
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return err
	case string(text) == "ok":
		return nil
	case len(text) == 0:
		said, _ := os.ReadFile(h.shimLog())
		return fairlead.Errorf(fairlead.Internal, "", "its shim ended at once: %s", strings.TrimSpace(string(said[:min(len(said), 4096)])))
	default:
		return errors.New(string(text))
	}
}

// Stop implements workload.Runtime.
func (r *Runtime) Stop(ctx context.Context, order fairlead.Order, id string, grace time.Duration) error {
	op := "stop instance " + id
	if !idForm.MatchString(id) {
		return fairlead.Errorf(fairlead.Invalid, op, "not an id")
	}
	if err := r.terms.admit(order); err != nil {
		return wrap(op, err)
	}
	return wrap(op, halt(ctx, r.config.Kinds, order, r.at.instance(id), grace, func(w workload.Status) (workload.Status, bool) { return died(w), w.State.Over() }))
}

// halt stops what runs at h. settle makes the last status of one whose shim died,
// and says whether a status is a last one.
func halt[S any](ctx context.Context, kinds Kinds, order fairlead.Order, h home, grace time.Duration, settle func(S) (S, bool)) error {
	lock, err := lockHome(h, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // never was, or was removed
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	rec, err := readRecord[S](h)
	if errors.Is(err, fs.ErrNotExist) {
		return takeOrder(h, order) // its start was never completed
	}
	if err != nil {
		return err
	}
	last, over := settle(rec.Status)
	if !over && rec.Shim.alive() {
		if err := mayOrder(h, order); err != nil {
			return err
		}
		lock.Close() // the shim takes the order
		hangs, err := stopByShim[S](ctx, order, h, grace, rec.Shim)
		if !hangs || err != nil {
			return err
		}
		return bury(ctx, kinds, h, settle)
	}
	if err := takeOrder(h, order); err != nil {
		return err
	}
	if over { // it recorded its end also where it could not remove all of its body
		return errors.Join(awaitEnd(ctx, rec.Shim), kinds.clear(ctx, h))
	}
	if err := kinds.clear(ctx, h); err != nil {
		return err // it may run still
	}
	rec.Status = last
	return WriteNote(h.record(), rec)
}

// Remove implements workload.Runtime. Removing one that never was is no error; one
// that has not ended is code conflict.
func (r *Runtime) Remove(ctx context.Context, order fairlead.Order, id string) error {
	op := "remove instance " + id
	if !idForm.MatchString(id) {
		return fairlead.Errorf(fairlead.Invalid, op, "not an id")
	}
	if err := r.terms.admit(order); err != nil {
		return wrap(op, err)
	}
	return wrap(op, forget(ctx, r.config.Kinds, order, r.at.instance(id), func(s workload.Status) bool { return s.State.Over() }))
}

// forget removes the home of what has ended.
func forget[S any](ctx context.Context, kinds Kinds, order fairlead.Order, h home, over func(S) bool) error {
	lock, err := lockHome(h, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	rec, err := readRecord[S](h)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil && !over(rec.Status) && rec.Shim.alive() {
		return fairlead.Errorf(fairlead.Conflict, "", "it has not ended").WithHint("stop it first")
	}
	if err := takeOrder(h, order); err != nil {
		return err
	}
	if err := awaitEnd(ctx, rec.Shim); err != nil {
		return err
	}
	return discard(ctx, kinds, h)
}

// awaitEnd waits for a shim that has recorded its last state to be gone.
func awaitEnd(ctx context.Context, shim identity) error {
	for shim.alive() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

// discard removes a home and what it has outside. The record goes first: without
// it a home is one whose start was never completed, which New removes.
func discard(ctx context.Context, kinds Kinds, h home) error {
	if err := kinds.clear(ctx, h); err != nil {
		return err
	}
	if err := os.Remove(h.record()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.RemoveAll(string(h)); err != nil {
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(string(h)))
}

// List implements workload.Runtime.
func (r *Runtime) List(ctx context.Context) ([]workload.Status, error) {
	over := func(s workload.Status) bool { return s.State.Over() }
	all, err := list(ctx, r.at.instances(), func(s workload.Status) workload.Status {
		r.buryDead(s.ID)
		return died(s)
	}, over)
	return all, wrap("list instances", err)
}

// mostAsked is how many shims are asked for their status at once, so that one that
// hangs delays no others.
const mostAsked = 16

// list returns the statuses of all homes in dir, sorted by name: that of a live
// shim from its socket, else from its record. A record that cannot be read is an
// error beside the others' statuses.
func list[S any](ctx context.Context, dir string, died func(S) S, over func(S) bool) ([]S, error) {
	entries, err := os.ReadDir(dir) // sorted
	if err != nil {
		return nil, err
	}
	all, n := make([]S, len(entries)), 0
	var failed error // the first
	var asking sync.WaitGroup
	slots := make(chan struct{}, mostAsked)
	for _, entry := range entries {
		h := home(filepath.Join(dir, entry.Name()))
		rec, err := readRecord[S](h)
		if errors.Is(err, fs.ErrNotExist) {
			continue // being started or removed
		}
		if err != nil {
			failed = cmp.Or(failed, err)
			continue
		}
		status := &all[n]
		*status, n = rec.Status, n+1
		if over(rec.Status) {
			continue
		}
		slots <- struct{}{}
		asking.Go(func() {
			*status = current(ctx, h, rec, died)
			<-slots
		})
	}
	asking.Wait()
	return all[:n], errors.Join(failed, ctx.Err())
}

// current asks a shim for its status. When it does not answer, its newest record
// counts, or, if it is dead, what died makes of that.
func current[S any](ctx context.Context, h home, rec record[S], died func(S) S) S {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var live S
	if rec.Shim.alive() && ask(ctx, h, "GET", "/v1/status", nil, &live) == nil {
		return live
	}
	alive := rec.Shim.alive() // before reading: a shim records its end before it dies
	if again, err := readRecord[S](h); err == nil {
		rec = again
	}
	if alive {
		return rec.Status
	}
	return died(rec.Status)
}

// Logs implements workload.Runtime.
func (r *Runtime) Logs(ctx context.Context, id string, options workload.LogOptions, w io.Writer) error {
	op := "read the log of " + id
	h := r.at.instance(id)
	if !idForm.MatchString(id) {
		return fairlead.Errorf(fairlead.Invalid, op, "not an id")
	}
	over := func() bool {
		rec, err := readRecord[workload.Status](h)
		return err != nil || rec.Status.State.Over() || !rec.Shim.alive()
	}
	return wrap(op, logsOf(ctx, h, options, over, w))
}

func logsOf(ctx context.Context, h home, options workload.LogOptions, over func() bool, w io.Writer) error {
	if _, err := os.Stat(h.record()); err != nil {
		return fairlead.Errorf(fairlead.NotFound, "", "there is none of that name")
	}
	return readLog(ctx, h.log(), options, over, w)
}

// sweep removes homes whose start was never completed or whose removal was not,
// and jobs whose runtime died.
func (r *Runtime) sweep(ctx context.Context) error {
	for _, dir := range []string{r.at.instances(), r.at.services(), r.at.jobs()} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			if err := r.sweepOne(ctx, home(filepath.Join(dir, entry.Name())), dir == r.at.jobs()); err != nil {
				return err
			}
		}
	}
	return nil
}

// sweepKinds looks, in the background, for what no home explains: it may have to ask
// somebody who is slow, or away.
func (r *Runtime) sweepKinds() {
	for _, kind := range []Kind{r.config.Kinds.Sandbox, r.config.Kinds.Container} {
		sweeper, ok := kind.(Sweeper)
		if !ok {
			continue
		}
		r.waiting.Go(func() {
			ctx, cancel := r.untilClosed(clearPatience)
			defer cancel()
			if err := sweeper.Sweep(ctx, r.config.Root); err != nil && ctx.Err() == nil {
				r.log.Warn("cannot look for what is left over", "error", err,
					"hint", cmp.Or(fairlead.HintOf(err), "it is looked for again when fairlead starts again"))
			}
		})
	}
}

// untilClosed is a context that ends after a time, or with the Runtime.
func (r *Runtime) untilClosed(most time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.Background(), most)
	go func() { // ends with ctx, which its user ends
		select {
		case <-r.closing:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

func (r *Runtime) sweepOne(ctx context.Context, h home, job bool) error {
	if job {
		var owner identity
		if ReadNote(h.record(), &owner) == nil && owner.alive() {
			return nil
		}
		return discard(ctx, r.config.Kinds, h)
	}
	if _, err := os.Stat(h.record()); err == nil {
		return nil
	}
	lock, err := lockHome(h, true) // waits for a start that is under way
	if err != nil {
		return err
	}
	defer lock.Close()
	if _, err := os.Stat(h.record()); err == nil {
		return nil
	}
	r.log.Info("removing what was never completed", "dir", string(h))
	return discard(ctx, r.config.Kinds, h)
}

// wrap names the operation of an error, and keeps its code and hint.
func wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return &fairlead.Error{Code: fairlead.CodeOf(err), Op: op, Err: err, Hint: fairlead.HintOf(err)}
}
