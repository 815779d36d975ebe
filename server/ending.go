package server

import (
	"context"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/unixsock"
	"github.com/fairlead/fairlead/store/sqlite"
)

// endingPatience is how long a process may hold the state directory after it has
// stopped answering: it writes its last records.
const endingPatience = 5 * time.Second

// childPatience is how long a process may hold the state directory though its socket
// can be dialed: a child that a control plane was about to start when it was killed
// has its lock and its socket until it becomes another program.
const childPatience = time.Second

// openStore opens the ledger. A process that has it open and answers no calls is
// about to end, or has just begun, and is waited for.
func (s *control) openStore(ctx context.Context) (store *sqlite.Store, err error) {
	began := time.Now()
	worth := func() bool { return time.Since(began) < childPatience || s.silent() }
	err = untilFree(ctx, worth, func() error {
		store, err = sqlite.Open(s.State, sqlite.Options{Log: s.Log})
		return err
	})
	return store, err
}

// silent reports whether no control plane takes calls for the state directory.
func (s *control) silent() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := unixsock.Dial(ctx, s.socket())
	if err != nil {
		return true
	}
	_ = conn.Close()
	return false
}

// AwaitEnd returns when the control plane of a state directory, which no longer
// answers, has let go of it, so that another may start or its files may be copied.
// It gives up after some seconds with an error of code conflict. A directory that
// cannot be looked at is not waited for.
func AwaitEnd(ctx context.Context, state string) error {
	err := untilFree(ctx, func() bool { return true }, func() error {
		lock, err := sqlite.Lock(state)
		if err != nil {
			return err
		}
		return lock.Close()
	})
	if fairlead.CodeOf(err) == fairlead.Conflict {
		return err
	}
	return ctx.Err()
}

// untilFree calls open until it ends otherwise than with a conflict, while worth
// says that waiting is worth it, for endingPatience at most.
func untilFree(ctx context.Context, worth func() bool, open func() error) error {
	for began := time.Now(); ; {
		err := open()
		if err == nil || fairlead.CodeOf(err) != fairlead.Conflict || time.Since(began) > endingPatience || !worth() {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}
