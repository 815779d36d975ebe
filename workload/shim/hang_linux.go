package shim

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// shimPatience is how long after the grace a shim may take to answer that all has
// ended: it kills what is left by then, so that only one that hangs takes longer.
const shimPatience = 5 * time.Second

// stopByShim asks a shim to end what it runs. One that hangs is killed, and what it
// runs dies with it.
func stopByShim[S any](ctx context.Context, order fairlead.Order, h home, grace time.Duration, shim identity) (hangs bool, err error) {
	patient, cancel := context.WithTimeout(ctx, grace+shimPatience)
	defer cancel()
	var ended S
	err = ask(patient, h, "POST", "/v1/stop", stopRequest{order, grace}, &ended)
	if fairlead.CodeOf(err) == fairlead.Unavailable && !shim.alive() {
		return false, nil // it ended meanwhile
	}
	if err == nil || patient.Err() == nil || ctx.Err() != nil {
		return false, err
	}
	return true, errors.Join(shim.kill(), awaitEnd(ctx, shim))
}

// bury records the end of what hung with its shim and was killed with it. The shim
// may have taken the order before it hung, so that it is not taken again.
func bury[S any](ctx context.Context, kinds Kinds, h home, settle func(S) (S, bool)) error {
	lock, err := lockHome(h, false)
	if err != nil {
		return err
	}
	defer lock.Close()
	rec, err := readRecord[S](h)
	if err != nil {
		return err
	}
	if err := awaitEnd(ctx, rec.Shim); err != nil {
		return err
	}
	if err := kinds.clear(ctx, h); err != nil {
		return err // it may run still
	}
	rec.Status, _ = settle(rec.Status)
	return WriteNote(h.record(), rec)
}

// clearPatience is how long clearing up after a dead shim may take.
const clearPatience = 30 * time.Second

// buryDead clears, in the background, what an instance left whose shim died: a
// container goes on without one. What fails is tried again when it is seen again.
func (r *Runtime) buryDead(id string) {
	h := r.at.instance(id)
	if _, busy := r.burying.LoadOrStore(h, true); busy {
		return
	}
	r.waiting.Go(func() {
		defer r.burying.Delete(h)
		ctx, cancel := r.untilClosed(clearPatience)
		defer cancel()
		err := bury(ctx, r.config.Kinds, h, func(s workload.Status) (workload.Status, bool) { return died(s), true })
		if err == nil || errors.Is(err, fs.ErrNotExist) || ctx.Err() != nil {
			return
		}
		r.log.Warn("cannot clear what an instance left whose shim died", "instance", id, "error", err)
		select {
		case <-r.closing:
		case <-time.After(time.Second):
		}
	})
}

// kill sends the process SIGKILL if it is alive, and no other one.
func (i identity) kill() error {
	fd, err := unix.PidfdOpen(i.Pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if !i.alive() { // asked after the descriptor, which stays this process's
		return nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); !errors.Is(err, unix.ESRCH) {
		return err
	}
	return nil
}
