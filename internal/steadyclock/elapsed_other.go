//go:build !linux

package steadyclock

import "time"

// machineElapsed returns a function that tells the time since now, by Go's
// monotonic clock.
func machineElapsed() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}
