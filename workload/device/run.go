package device

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Runner runs a program of the machine and returns what it wrote to its standard
// output, also when it failed. A program that is not there is [ErrNoProgram].
type Runner func(ctx context.Context, program string, args ...string) ([]byte, error)

// ErrNoProgram says that a machine does not have a program.
var ErrNoProgram = errors.New("the program is not installed")

const (
	runWithin  = 10 * time.Second // nvidia-smi loads the driver where nothing keeps it loaded
	mostOutput = 1 << 20
)

// Programs returns a Runner for the programs below root, "" for the machine's own. A
// program has ten seconds, and no more than 1 MiB of its output is kept.
func Programs(root string) Runner {
	return func(ctx context.Context, program string, args ...string) ([]byte, error) {
		path := locate(root, program)
		if path == "" {
			return nil, ErrNoProgram
		}
		ctx, cancel := context.WithTimeout(ctx, runWithin)
		defer cancel()
		cmd := exec.CommandContext(ctx, path, args...)
		cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
		cmd.Dir, cmd.WaitDelay = "/", time.Second
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return endGroup(cmd.Process.Pid) }
		out := &bounded{}
		cmd.Stdout = out
		err := cmd.Run()
		if cmd.Process != nil {
			_ = endGroup(cmd.Process.Pid) // what it started and did not end: it is asked again and again
		}
		switch {
		case ctx.Err() != nil:
			err = fmt.Errorf("%s did not end within %s", program, runWithin)
		case out.over:
			err = fmt.Errorf("%s wrote more than %d bytes", program, mostOutput)
		case err != nil:
			err = fmt.Errorf("%s: %w", program, err)
		}
		return out.kept.Bytes(), err
	}
}

// endGroup kills what is left of a program and of what it started.
func endGroup(pid int) error { return syscall.Kill(-pid, syscall.SIGKILL) }

func locate(root, program string) string {
	if root == "" {
		path, _ := exec.LookPath(program) // "" where there is none
		return path
	}
	path := filepath.Join(root, "usr/bin", program)
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return path
}

// bounded keeps the first bytes that are written to it.
type bounded struct {
	kept bytes.Buffer
	over bool
}

// Write never fails, so that the program that writes goes on to its end.
func (b *bounded) Write(p []byte) (int, error) {
	if room := mostOutput - b.kept.Len(); len(p) > room {
		b.over = true
		b.kept.Write(p[:room])
		return len(p), nil
	}
	return b.kept.Write(p)
}
