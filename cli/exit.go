package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

// The exit statuses.
const (
	ExitDone         = 0
	ExitFailed       = 1
	ExitUsage        = 2
	ExitRolledBack   = 3
	ExitInconclusive = 4
	ExitUnauthorized = 5
	ExitNoServer     = 6
	ExitUnprotected  = 7
	ExitPartly       = 8
	ExitInterrupted  = 130
)

const exitCodesHelp = `Every command ends with one of these exit statuses:

  0    done; with --wait: the release was promoted
  1    failed; with --wait: the release failed or a person aborted it
  2    usage: the command line is wrong
  3    rolled back
  4    inconclusive: the rollout is held and waits for a person
  5    not authorized
  6    no server answers
  7    doctor: a protection that is required does not hold
  8    import: something of the compose file could not be carried over
  130  interrupted; a rollout goes on without its watcher

An error is printed on standard error as "fairlead: operation: why", and where
there is something to do about it a line "  hint: what" follows. With
--output json it is {"error":{"code","operation","message","hint"}}.`

// usageError is an error of the command line itself.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usage(err error) error { return usageError{err} }

func usagef(hint, format string, args ...any) error {
	return usage(&fairlead.Error{Code: fairlead.Invalid, Err: fmt.Errorf(format, args...), Hint: hint})
}

// exitError ends a command with a status after it has said why itself.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// ExitCode returns the exit status for a command's error.
func ExitCode(err error) int {
	var status exitError
	var wrong usageError
	switch {
	case err == nil:
		return ExitDone
	case errors.As(err, &status):
		return int(status)
	case errors.As(err, &wrong):
		return ExitUsage
	case errors.Is(err, context.Canceled):
		return ExitInterrupted
	case errors.Is(err, client.ErrNoServer):
		return ExitNoServer
	}
	switch fairlead.CodeOf(err) {
	case fairlead.Unauthorized, fairlead.Forbidden:
		return ExitUnauthorized
	}
	return ExitFailed
}

// rolloutStatus is the exit status of a command that waited for a rollout.
func rolloutStatus(r client.Rollout) int {
	switch {
	case r.Outcome == client.Promoted:
		return ExitDone
	case r.Outcome == client.RolledBack:
		return ExitRolledBack
	case r.Outcome != "":
		return ExitFailed
	}
	return ExitInconclusive
}
