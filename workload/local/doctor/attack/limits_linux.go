package attack

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead/workload"
)

// What an attack on a limit asks for beyond it, at most.
const (
	mostExtra      = 64 << 20 // bytes of memory
	extraProcesses = 64
	extraFiles     = 16
	extraTemp      = 1 << 20 // bytes
	burnTime       = 400 * time.Millisecond
	stormTime      = 10 // seconds that a process of the storm stays, if nobody ends it
)

// Outlive is the name of the attack whose end only the doctor sees.
const Outlive = "outlive the stop as a daemon"

// limitAttacks exhaust what is limited, a little beyond the limit and no more.
func limitAttacks() []Attack {
	return []Attack{
		{Name: "fill /tmp beyond its size", Against: []string{workload.ScratchLimit}, Changes: true, try: fillTemp},
		{Name: "make more files in /tmp than it holds", Against: []string{workload.ScratchLimit}, try: countInodes},
		{Name: "open more files than the limit", Against: []string{workload.FileLimit}, try: openMany},
		{Name: "start more processes than the limit", Against: []string{workload.ProcessLimit}, try: storm},
		{Name: "use more processors than the limit", Against: []string{workload.CPULimit}, try: useProcessors},
		{Name: "use more memory than the limit", Against: []string{workload.MemoryLimit}, try: useMemory},
		{Name: Outlive, Against: []string{workload.PidNamespace}, try: outlive},
	}
}

func fillTemp(s *scene) result {
	return scratch(func(dir string) result {
		file, err := os.Create(filepath.Join(dir, "big"))
		if err != nil {
			return untried(reason(err))
		}
		defer file.Close()
		most := int64(s.TempSize + extraTemp)
		return refused(unix.Fallocate(int(file.Fd()), 0, 0, most), fmt.Sprintf("%d MiB were taken", most>>20))
	})
}

// countInodes asks only: to make them would take a while.
func countInodes(s *scene) result {
	var stat unix.Statfs_t
	if err := unix.Statfs(os.TempDir(), &stat); err != nil {
		return untried(reason(err))
	}
	if stat.Files > uint64(s.TempSize>>10) {
		return succeeded(fmt.Sprintf("there is room for %d", stat.Files))
	}
	return stopped(fmt.Sprintf("it holds %d", stat.Files))
}

// openMany raises the limit as far as it goes and opens files until it cannot.
func openMany(s *scene) result {
	most := uint64(s.MostFiles + extraFiles)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return untried(reason(err))
	}
	if unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: most, Max: most}) != nil {
		_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: limit.Max, Max: limit.Max})
	}
	var opened []int
	defer func() {
		for _, fd := range opened {
			unix.Close(fd)
		}
	}()
	for range most {
		fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return stopped(fmt.Sprintf("no more after %d", len(opened)))
		}
		opened = append(opened, fd)
	}
	return succeeded(fmt.Sprintf("it opened %d", len(opened)))
}

// storm starts processes until it cannot. They end with it, and by themselves.
func storm(s *scene) result {
	var started []int
	defer func() {
		for _, pid := range started {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		for _, pid := range started {
			reap(pid)
		}
	}()
	runtime.LockOSThread() // the parent-death signal is of the thread that forks
	defer runtime.UnlockOSThread()
	for range s.MostProcesses + extraProcesses {
		pid, err := sleeper(stormTime)
		switch {
		case err == unix.EAGAIN:
			return stopped(fmt.Sprintf("no more after %d", len(started)))
		case err != 0:
			return untried(err.Error())
		}
		started = append(started, pid)
	}
	return succeeded(fmt.Sprintf("it started %d", len(started)))
}

// sleeper forks a process that only sleeps, for some seconds, and ends. The child
// is a copy of a program of several threads with only one of them, so it makes
// nothing but system calls that the runtime does not see.
//
//go:norace
func sleeper(seconds int64) (int, syscall.Errno) {
	sleep := syscall.Timespec{Sec: seconds}
	pid, _, errno := syscall.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 || pid != 0 {
		return int(pid), errno
	}
	syscall.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0)
	syscall.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&sleep)), 0, 0)
	for {
		syscall.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	}
}

func reap(pid int) {
	for {
		if _, err := syscall.Wait4(pid, nil, 0, nil); !errors.Is(err, syscall.EINTR) {
			return
		}
	}
}

// useProcessors has a child compute on more threads than it may have cores.
func useProcessors(s *scene) result {
	if s.MilliCPU == 0 {
		return untried("none was asked for")
	}
	if cores := runtime.NumCPU(); cores*1000 < 2*s.MilliCPU {
		return untried("the machine has too few processors to tell")
	}
	child := command(s.child(modeBurn))
	began := time.Now()
	output, err := child.CombinedOutput()
	if err != nil {
		return untried(strings.TrimSpace(string(output)) + err.Error())
	}
	took := time.Since(began)
	used := child.ProcessState.UserTime() + child.ProcessState.SystemTime()
	allowed := took * time.Duration(s.MilliCPU) / 1000
	text := fmt.Sprintf("it got %d ms in %d ms", used.Milliseconds(), took.Milliseconds())
	switch {
	case used > allowed+allowed/2:
		return succeeded(text)
	case used < allowed*3/4:
		return untried("the machine was too busy")
	}
	return stopped(text)
}

// burn computes on four threads for burnTime.
func burn() error {
	runtime.GOMAXPROCS(4)
	end := time.Now().Add(burnTime)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for n := 0; time.Now().Before(end); n++ {
				continue
			}
		})
	}
	all.Wait()
	return nil
}

// useMemory has a child touch a little more memory than the limit. The kernel kills
// the largest process of the sandbox, which is that child.
func useMemory(s *scene) result {
	if s.MemoryLimit == 0 {
		return untried("none was asked for")
	}
	most := s.MemoryLimit + mostExtra
	child := command(s.child(modeEat, strconv.Itoa(most)))
	err := child.Run()
	if err == nil {
		return succeeded(fmt.Sprintf("it took %d MiB", most>>20))
	}
	if state, ok := child.ProcessState.Sys().(syscall.WaitStatus); ok && state.Signaled() && state.Signal() == syscall.SIGKILL {
		return stopped("it was killed")
	}
	return untried(err.Error())
}

// eat maps most bytes and touches every page of them.
func eat(most int) error {
	memory, err := unix.Mmap(-1, 0, most, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	for i := 0; i < len(memory); i += os.Getpagesize() {
		memory[i] = 1
	}
	return unix.Munmap(memory)
}

// abort dies of SIGABRT, so that the kernel may dump it.
func abort() error {
	runtime.LockOSThread()
	var action [4]uint64 // struct sigaction with SIG_DFL: the runtime's own handler would print and exit
	if _, _, errno := syscall.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(unix.SIGABRT), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0); errno != 0 {
		return errno
	}
	if err := unix.Kill(os.Getpid(), unix.SIGABRT); err != nil {
		return err
	}
	time.Sleep(time.Second)
	return errors.New("it lived on")
}

// outlive leaves a process behind that its own parent has left. The doctor looks
// for it after the stop.
func outlive(s *scene) result {
	child := command(s.child(modeDaemon))
	output, err := child.Output()
	if err != nil || strings.TrimSpace(string(output)) != "lingering" {
		return untried(fmt.Sprintf("it could not: %s %v", output, err))
	}
	return stopped("ended with the sandbox") // unless the doctor finds it
}

// leaveDaemon starts a process in a session of its own and ends before it.
func leaveDaemon(nonce string) error {
	child := command(LingerArguments(nonce))
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := child.StdoutPipe()
	if err != nil {
		return err
	}
	if err := child.Start(); err != nil {
		return err
	}
	line := make([]byte, len("lingering\n"))
	if _, err := io.ReadFull(out, line); err != nil {
		return err
	}
	_, err = os.Stdout.Write(line)
	return err
}

// Lingers reports whether the arguments of a process are those of one that was to
// outlive the sandbox.
func Lingers(arguments []byte, nonce string) bool {
	return strings.Contains(string(arguments), strings.Join(LingerArguments(nonce), "\x00"))
}
