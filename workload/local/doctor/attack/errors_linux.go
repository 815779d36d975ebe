package attack

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead/workload"
)

// refused is the result of one operation: without an error it succeeded. An error
// of the attack's own means says nothing about the sandbox.
func refused(err error, got string) result {
	switch {
	case err == nil:
		return succeeded(got)
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ENOMEM), errors.Is(err, unix.EINTR), errors.Is(err, unix.EOPNOTSUPP):
		return untried(reason(err))
	}
	return stopped(reason(err))
}

// reason is what the kernel answered, without paths.
func reason(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	return err.Error()
}

// each makes one result of several operations: the first that succeeds counts, then
// the first that says nothing.
func each(names []string, try func(name string) result) result {
	var whole result
	for _, name := range names {
		r := try(name)
		if r.outcome == workload.Succeeded {
			return succeeded(name + ": " + r.text)
		}
		if whole.outcome == "" || r.outcome == workload.Untried {
			whole = r
		}
	}
	return whole
}

// call is a system call that is made as it is.
type call struct {
	name string
	args []uintptr // the number and the arguments
}

// calls makes system calls that the filter must answer itself, with EPERM or
// ENOSYS. Their arguments are such that they do nothing otherwise.
func calls(list []call) result {
	for _, c := range list {
		var a [7]uintptr
		copy(a[:], c.args)
		got, _, errno := syscall.Syscall6(a[0], a[1], a[2], a[3], a[4], a[5], a[6])
		switch errno {
		case unix.EPERM, unix.ENOSYS:
		case 0:
			return succeeded(fmt.Sprintf("%s: the kernel did it, and answered %d", c.name, got))
		default:
			return succeeded(fmt.Sprintf("%s reached the kernel: %s", c.name, errno))
		}
	}
	return stopped(unix.EPERM.Error())
}
