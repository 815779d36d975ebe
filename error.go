package fairlead

import (
	"errors"
	"fmt"
)

// Code classifies an error for programs. Each face maps it once: the API to an
// HTTP status, the command line to an exit status.
type Code string

// The codes, from the caller's fault to ours.
const (
	Invalid      Code = "invalid"      // the input is wrong; sending it again will not help
	NotFound     Code = "not_found"    // what was named does not exist
	Conflict     Code = "conflict"     // it does not fit what is now; look and decide again
	Unauthorized Code = "unauthorized" // nobody, or nobody known, asks
	Forbidden    Code = "forbidden"    // known, but not allowed
	Unavailable  Code = "unavailable"  // not now; sending it again may help
	Unsupported  Code = "unsupported"  // this machine or version cannot do it
	Corrupt      Code = "corrupt"      // stored data is not what was written
	Internal     Code = "internal"     // a fault of Fairlead
)

// Error says what went wrong, where, why, and what to do about it.
type Error struct {
	Code Code   // never empty
	Op   string // what was tried, such as "deploy triage"
	Err  error  // why, never nil
	Hint string // what to do next; may be empty
}

// Error returns "op: why".
func (e *Error) Error() string {
	if e.Op == "" {
		return e.Err.Error()
	}
	return e.Op + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an *Error with a formatted cause and no hint.
func Errorf(code Code, op, format string, args ...any) *Error {
	return &Error{Code: code, Op: op, Err: fmt.Errorf(format, args...)}
}

// WithHint returns e with a hint of what to do next.
func (e *Error) WithHint(format string, args ...any) *Error {
	hinted := *e
	hinted.Hint = fmt.Sprintf(format, args...)
	return &hinted
}

// CodeOf returns the code of the first *Error in err's chain, or Internal.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}

// HintOf returns the first hint in err's chain, or "".
func HintOf(err error) string {
	for e := (*Error)(nil); errors.As(err, &e); err = e.Err {
		if e.Hint != "" {
			return e.Hint
		}
	}
	return ""
}
