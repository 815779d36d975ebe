package shim

import (
	"os/exec"
	"runtime"
)

// StartKept starts a command from a thread that lives as long as the process does,
// for one with a parent-death signal is killed when that thread ends, and reaps
// it. The channel is closed once that is done; command.ProcessState then says how
// it ended.
func StartKept(command *exec.Cmd) (ended <-chan struct{}, err error) {
	started, done := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		err := command.Start()
		started <- err
		if err == nil {
			command.Wait() // ProcessState has the result
			close(done)
		}
	}()
	return done, <-started
}
