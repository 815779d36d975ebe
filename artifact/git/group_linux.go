package git

import "syscall"

// ownGroup makes git the head of a process group, which dies with the thread that
// starts it: a clone does not outlive the one who wants it.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
