//go:build !linux

package git

import "syscall"

// ownGroup makes git the head of a process group.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
