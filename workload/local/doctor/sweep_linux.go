package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload/local"
	"github.com/fairlead/fairlead/workload/local/doctor/attack"
	"github.com/fairlead/fairlead/workload/shim"
)

// stagePrefix begins the names of stages' directories, and of files in a home.
const stagePrefix = "fairlead-doctor-"

// lockFile is locked by the doctor as long as it lives.
const lockFile = "lock"

// hold locks the stage's directory, so that no other doctor takes it for one that
// was left behind.
func (s *Stage) hold() error {
	file, err := os.OpenFile(filepath.Join(s.dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	s.later(file.Close)
	return unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
}

// sweep ends and removes what doctors of this user left when they were killed.
func sweep(ctx context.Context, program string) error {
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), stagePrefix+"*"))
	for _, dir := range dirs {
		err = errors.Join(err, sweepOne(ctx, dir, program))
	}
	return err
}

// sweepOne leaves alone what is not this user's or in use.
func sweepOne(ctx context.Context, dir, program string) error {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || info.Sys().(*syscall.Stat_t).Uid != uint32(os.Getuid()) {
		return nil
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil // being made, or being removed
	}
	defer lock.Close()
	if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return nil
	}
	if err := endInstances(ctx, filepath.Join(dir, runFolder), program); err != nil {
		return err
	}
	var order attack.Order
	data, err := os.ReadFile(filepath.Join(dir, outsideFolder, attack.OrderFile))
	if err == nil && json.Unmarshal(data, &order) == nil && strings.HasPrefix(filepath.Base(order.Home), "."+stagePrefix) {
		os.Remove(order.Home)
	}
	return os.RemoveAll(dir)
}

// endInstances ends the instances of a doctor that is gone. Their runtime removes
// its jobs itself.
func endInstances(ctx context.Context, root, program string) error {
	r, err := shim.New(shim.Config{Root: root, Shim: program, Log: slog.New(slog.DiscardHandler), Kinds: shim.Kinds{Sandbox: local.Sandbox{}}})
	if err != nil {
		return err
	}
	defer r.Close()
	all, err := r.List(ctx)
	if err != nil {
		return err
	}
	for i, status := range all {
		order := fairlead.Order{Term: 2, Seq: uint64(2*i + 1)} // a term after that of the doctor
		next := fairlead.Order{Term: 2, Seq: uint64(2*i + 2)}
		if err := errors.Join(r.Stop(ctx, order, status.ID, 0), r.Remove(ctx, next, status.ID)); err != nil {
			return err
		}
	}
	return nil
}
