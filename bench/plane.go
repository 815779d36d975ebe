package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// plane is a running `fairlead up`.
type plane struct {
	program string
	state   string
	cmd     *exec.Cmd
	log     bytes.Buffer // read after its end
	ready   time.Duration
	at      struct {
		Gateway string
		Pid     int
	}
}

// up starts a control plane and returns when it has said that it is ready, which
// it does when the gateway serves and the API listens. ready is the time from
// before the start of the process to that line.
func (l *lab) up(ctx context.Context, state string) (*plane, error) {
	p := &plane{program: l.program, state: state}
	p.cmd = exec.CommandContext(ctx, l.program, "up", "--state", state, "--output", "json", "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0")
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + l.temp}
	p.cmd.Stderr = &p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	l.states = append(l.states, state)
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	err = json.NewDecoder(out).Decode(&p.at)
	p.ready = time.Since(began)
	if err != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		return nil, fmt.Errorf("fairlead up is not ready: %w\n%s", err, p.log.Bytes())
	}
	return p, nil
}

// command runs a command over the state and returns its standard output.
func (p *plane) command(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, p.program, append(args, "--state", p.state, "--output", "json")...)
	cmd.Env = p.cmd.Env
	out, err := cmd.Output()
	if err != nil {
		var text []byte
		if exit, ok := err.(*exec.ExitError); ok {
			text = exit.Stderr
		}
		return out, fmt.Errorf("fairlead %s: %w: %s%s", args[0], err, out, text)
	}
	return out, nil
}

// down ends everything.
func (p *plane) down(ctx context.Context) error {
	if _, err := p.command(ctx, "down"); err != nil {
		return err
	}
	return p.cmd.Wait()
}
