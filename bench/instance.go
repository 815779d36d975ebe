package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/local"
	"github.com/fairlead/fairlead/workload/shim"
)

const (
	instanceRuns = 30
	instanceLook = 2 * time.Millisecond // how often it is looked whether a program serves
)

// measureInstance times starts in the sandbox, and of the same program bare.
func measureInstance(ctx context.Context, l *lab) ([]figure, error) {
	dir := filepath.Join(l.temp, "release")
	if err := l.layRelease(dir, 0); err != nil {
		return nil, err
	}
	runtime, err := shim.New(shim.Config{Root: filepath.Join(l.temp, "runtime"), Shim: l.program, Log: slog.New(slog.DiscardHandler), Kinds: shim.Kinds{Sandbox: local.Sandbox{}}})
	if err != nil {
		return nil, err
	}
	defer runtime.Close()
	overhead := figure{Name: "overhead of an instance's start", Unit: "ms", Goal: most(100),
		Note: "a static program in its sandbox, from the runtime's Start to the state ready, less the same program executed bare until it answers"}
	bare := figure{Name: "  of it the program alone", Unit: "ms"}
	for i := range instanceRuns {
		alone, err := timeBare(ctx, dir)
		if err != nil {
			return nil, fmt.Errorf("bare: %w", err)
		}
		boxed, err := timeInstance(ctx, runtime, dir, i)
		if err != nil {
			return nil, err
		}
		bare.Samples = append(bare.Samples, milliseconds(alone))
		overhead.Samples = append(overhead.Samples, milliseconds(boxed-alone))
	}
	return []figure{overhead, bare}, nil
}

// timeBare executes the program and asks it until it answers.
func timeBare(ctx context.Context, dir string) (time.Duration, error) {
	port, err := freePort()
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, "./app")
	cmd.Dir, cmd.Env = dir, []string{"PORT=" + port}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	err = poll(ctx, func() (bool, error) {
		answer, err := client.Get("http://127.0.0.1:" + port + "/readyz")
		if err != nil {
			return false, nil // it does not listen yet
		}
		return answer.StatusCode == http.StatusOK, answer.Body.Close()
	})
	return time.Since(began), err
}

// timeInstance starts an instance, waits until it is ready, and removes it.
func timeInstance(ctx context.Context, runtime *shim.Runtime, dir string, i int) (time.Duration, error) {
	order := func(n int) fairlead.Order { return fairlead.Order{Term: 1, Seq: uint64(3*i + n)} }
	spec := workload.Spec{
		ID: fmt.Sprintf("bench-%d-%d", os.Getpid(), i), Site: fairlead.Site{App: "bench", Env: "production"}, Release: 1, Dir: dir,
		Command: []string{"./app"}, Port: 8080, Readiness: fairlead.Check{Path: "/readyz"}, Sandbox: fairlead.SandboxRequired,
	}
	began := time.Now()
	if err := runtime.Start(ctx, order(1), spec, nil); err != nil {
		return 0, err
	}
	err := poll(ctx, func() (bool, error) {
		all, err := runtime.List(ctx)
		if err == nil && len(all) == 1 && all[0].State.Over() {
			err = fmt.Errorf("the instance is %s: %s", all[0].State, all[0].LastExit)
		}
		return err == nil && len(all) == 1 && all[0].State == workload.Ready, err
	})
	took := time.Since(began)
	if err != nil {
		return 0, err
	}
	if err := runtime.Stop(ctx, order(2), spec.ID, time.Second); err != nil {
		return 0, err
	}
	return took, runtime.Remove(ctx, order(3), spec.ID)
}

// poll asks done until it is true.
func poll(ctx context.Context, done func() (bool, error)) error {
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(instanceLook):
		}
	}
}

func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return "", err
	}
	return port, listener.Close()
}
