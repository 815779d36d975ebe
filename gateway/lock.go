package gateway

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lockDir makes the caller the only gateway in dir until unlock. It waits for the
// one before, until ctx ends. The lock goes with the process.
func lockDir(ctx context.Context, dir string) (unlock func(), err error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		unlock, err := tryLock(dir)
		if !errors.Is(err, errLocked) {
			return unlock, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("another gateway runs in %s: %w", dir, ctx.Err())
		case <-tick.C:
		}
	}
}

// errLocked says that another process has the lock.
var errLocked = errors.New("another gateway has the directory")

// tryLock is lockDir without waiting: errLocked when another gateway runs in dir.
func tryLock(dir string) (unlock func(), err error) {
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case err == nil:
		return func() { file.Close() }, nil // a second call does nothing
	case errors.Is(err, syscall.EWOULDBLOCK), errors.Is(err, syscall.EINTR):
		return nil, errors.Join(errLocked, file.Close())
	}
	return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), file.Close())
}
