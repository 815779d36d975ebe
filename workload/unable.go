package workload

// Unable is why this machine can start no instance of a kind, whatever its release: no
// container engine answers, or the program of Fairlead itself cannot be used.
type Unable struct{ Err error }

// Error returns what Err says.
func (u Unable) Error() string { return u.Err.Error() }

// Unwrap returns Err.
func (u Unable) Unwrap() error { return u.Err }
