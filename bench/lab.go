package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// lab is where the measuring happens: what is measured, and places for its files.
type lab struct {
	program string   // fairlead
	app     string   // the program that is released
	out     string   // results, and states that are kept for the next time
	temp    string   // removed at the end
	states  []string // that control planes ran over
}

// newLab builds the app and makes the directories. The caller closes the lab.
func newLab(ctx context.Context, program, out string) (*lab, error) {
	l := &lab{}
	var err error
	if l.program, err = filepath.Abs(program); err != nil {
		return nil, err
	}
	if _, err := os.Stat(l.program); err != nil {
		return nil, fmt.Errorf("%w; build it with: make build", err)
	}
	if l.out, err = filepath.Abs(out); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(l.out, 0o755); err != nil {
		return nil, err
	}
	if l.temp, err = os.MkdirTemp(l.out, "run-"); err != nil {
		return nil, err
	}
	if err := l.buildApp(ctx); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *lab) buildApp(ctx context.Context) error {
	l.app = filepath.Join(l.temp, "app")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", l.app, "./e2e/app")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the app: %w\n%s", err, text)
	}
	return nil
}

// close ends what a run that failed has left, in order so that nothing remains of it
// outside, and removes the lab's files.
func (l *lab) close() {
	for _, state := range l.states {
		if len(processesOf(state)) > 0 {
			down := exec.Command(l.program, "down", "--state", state)
			if text, err := down.CombinedOutput(); err != nil {
				fmt.Fprintf(os.Stderr, "bench: fairlead down: %v\n%s", err, text)
			}
		}
	}
	for _, p := range processesOf(l.temp) {
		_ = syscall.Kill(p.pid, syscall.SIGKILL) // it may have ended
	}
	removeTree(l.temp)
}

// removeTree removes a directory whose released trees are read-only.
func removeTree(dir string) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return nil
	})
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, "bench: remove", err)
	}
}

// process is one whose command line names a directory of ours.
type process struct {
	pid  int
	args []string
}

// processesOf returns the processes that name dir, or something in it.
func processesOf(dir string) []process {
	var found []process
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		line, err := os.ReadFile(file)
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err == nil && pid != os.Getpid() && (bytes.Contains(line, []byte(dir+"/")) || bytes.Contains(line, []byte(dir+"\x00"))) {
			found = append(found, process{pid, strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")})
		}
	}
	return found
}

// copyFile copies a program.
func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, data, 0o755))
}
