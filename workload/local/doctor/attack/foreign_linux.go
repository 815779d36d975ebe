package attack

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// runForeign runs a program whose system calls have other numbers, from memory.
func runForeign(*scene) result {
	program := foreignProgram()
	if program == nil {
		return untried("there is none for this machine")
	}
	file, err := inMemory(program)
	if err != nil {
		return untried(reason(err))
	}
	defer file.Close()
	child := &exec.Cmd{Path: "/proc/self/fd/3", Args: []string{"foreign"}, ExtraFiles: []*os.File{file}}
	err = child.Run()
	var exit *exec.ExitError
	switch {
	case errors.Is(err, unix.ENOEXEC):
		return untried("the kernel does not run such programs")
	case err != nil && !errors.As(err, &exit):
		return refused(err, "")
	}
	state, _ := child.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case state.Signaled() && state.Signal() == syscall.SIGSYS:
		return stopped("it was killed")
	case state.ExitStatus() == foreignExit:
		return succeeded("its system calls were made")
	}
	return untried(fmt.Sprintf("it ended with %v", child.ProcessState))
}

// inMemory returns a file of memory that holds a program. It is not open to write
// any more, for such a file is not run.
func inMemory(program []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("foreign", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	writer := os.NewFile(uintptr(fd), "foreign")
	defer writer.Close()
	if _, err := writer.Write(program); err != nil {
		return nil, err
	}
	return os.Open(fmt.Sprintf("/proc/self/fd/%d", fd))
}
