package steadyclock

import (
	"time"

	"golang.org/x/sys/unix"
)

// machineElapsed returns a function that tells the time since the machine started,
// with that in which it slept.
func machineElapsed() func() time.Duration {
	return func() time.Duration {
		var now unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
			panic("steadyclock: the kernel has no CLOCK_BOOTTIME: " + err.Error()) // Linux has had it since 2.6.39
		}
		return time.Duration(now.Nano())
	}
}
