package container

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Exit statuses of a container whose app could not be started, as in a shell.
const (
	exitNotRunnable = 126
	exitNotFound    = 127
	exitMemory      = 191 // of an app that was killed because it was over its memory limit; no signal ends with it
)

// Init is the first process of a container: it waits until its shim has seen that the
// container is as it must be, starts the app, hands its signals on, reaps the orphans,
// and ends as the app does: with its exit status, or 128 and the number of the signal
// that ended it, or exitMemory. args are the app's command.
func Init(args []string) int {
	signals := make(chan os.Signal, 64)
	signal.Notify(signals)
	opened := make(chan error, 1)
	go func() { opened <- awaitGate() }() // ends with the process
	for waiting := true; waiting; {
		select {
		case err := <-opened:
			if err != nil {
				fmt.Fprintf(os.Stderr, "%s: %v\n", InitName, err)
				return exitNotRunnable
			}
			waiting = false
		case s := <-signals:
			if s == syscall.SIGTERM || s == syscall.SIGINT {
				return 128 + int(s.(syscall.Signal))
			}
		}
	}
	return runApp(args, signals)
}

func awaitGate() error {
	if err := inside(); err != nil {
		return err
	}
	gate, err := os.Open(insideGate)
	if err != nil {
		return err
	}
	defer gate.Close()
	_, err = gate.Read(make([]byte, 1))
	return err
}

// unrunnable says why a program that is there does not start.
func unrunnable(err error) string {
	if errors.Is(err, syscall.ENOEXEC) {
		return fmt.Sprintf("%v: it was built for another kind of machine, or is a script that does not begin with #!", err)
	}
	return err.Error()
}

// runApp runs the app's command to its end.
func runApp(args []string, signals <-chan os.Signal) int {
	if len(args) == 0 {
		return exitNotFound
	}
	path, err := exec.LookPath(args[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		fmt.Fprintf(os.Stderr, "the command could not be started: %v\n", err)
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
			return exitNotFound
		}
		return exitNotRunnable
	}
	if err := closeSelf(); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", InitName, err)
		return exitNotRunnable
	}
	app, err := os.StartProcess(path, args, &os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	if err != nil {
		fmt.Fprintf(os.Stderr, "the command could not be started: %s\n", unrunnable(err))
		return exitNotRunnable
	}
	before := memoryKills()
	go func() { // ends with the process
		for s := range signals {
			if s != syscall.SIGCHLD && s != syscall.SIGURG {
				app.Signal(s) // one that has ended needs none
			}
		}
	}()
	code := reapUntil(app.Pid)
	if code == 128+int(syscall.SIGKILL) && memoryKills() > before {
		return exitMemory
	}
	return asTold(code)
}

// memoryKills counts the processes of this container that were killed for memory, as its
// control group says inside; 0 where that cannot be read. Not every engine tells.
func memoryKills() int {
	for _, path := range []string{"/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"} {
		data, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			if fields := strings.Fields(line); len(fields) == 2 && fields[0] == "oom_kill" {
				n, err := strconv.Atoi(fields[1])
				if err == nil {
					return n
				}
			}
		}
	}
	return 0
}

// reapUntil reaps whatever ends, until the process pid does, and returns its exit
// status as a shell tells it.
func reapUntil(pid int) int {
	for {
		var status unix.WaitStatus
		ended, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return exitNotRunnable // no child is left, which cannot be
		case ended == pid && status.Signaled():
			return 128 + int(status.Signal())
		case ended == pid && status.Exited():
			return status.ExitStatus()
		}
	}
}
