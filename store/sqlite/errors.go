package sqlite

import (
	"context"
	"errors"

	driver "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/disk"
)

// failed gives err, if it is one, the operation and the code that users see. An
// error that already has a code keeps it.
func failed(op string, err error) error {
	if err == nil {
		return nil
	}
	var known *fairlead.Error
	if errors.As(err, &known) {
		return &fairlead.Error{Code: known.Code, Op: op, Err: err, Hint: known.Hint}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fairlead.Errorf(fairlead.Unavailable, op, "%w", err)
	}
	switch primary(err) {
	case codes.SQLITE_FULL:
		return fairlead.Errorf(fairlead.Unavailable, op, "the disk is full: %w", err).
			WithHint(disk.FullHint)
	case codes.SQLITE_CORRUPT, codes.SQLITE_NOTADB:
		return fairlead.Errorf(fairlead.Corrupt, op, "%w", err).
			WithHint("stop Fairlead, keep a copy of the state directory, and restore the newest backup")
	case codes.SQLITE_BUSY, codes.SQLITE_LOCKED:
		return fairlead.Errorf(fairlead.Unavailable, op, "%w", err).WithHint("another program holds the database; end it")
	case codes.SQLITE_IOERR:
		return fairlead.Errorf(fairlead.Unavailable, op, "%w", err).
			WithHint("make room on the disk of the state directory if it is full, and look at its health")
	case codes.SQLITE_CANTOPEN, codes.SQLITE_READONLY, codes.SQLITE_PERM:
		return fairlead.Errorf(fairlead.Unavailable, op, "%w", err).
			WithHint("look at the disk and the rights of the state directory")
	case 0:
		if disk.Full(err) {
			return fairlead.Errorf(fairlead.Unavailable, op, "%w", err).WithHint(disk.FullHint)
		}
		return fairlead.Errorf(fairlead.Unavailable, op, "%w", err) // not SQLite's: a file could not be used
	}
	return fairlead.Errorf(fairlead.Internal, op, "%w", err)
}

// primary returns SQLite's primary result code of err, or 0.
func primary(err error) int {
	var e *driver.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code() & 0xff
}
