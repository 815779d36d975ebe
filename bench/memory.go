package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	idleFor = time.Minute
	loadFor = time.Minute
)

// measureMemory reads what the processes of one app with two replicas hold, and a
// control plane over a ledger of a million entries beside it.
func measureMemory(ctx context.Context, l *lab) ([]figure, error) {
	p, err := l.up(ctx, filepath.Join(l.temp, "memory", "s"))
	if err != nil {
		return nil, err
	}
	if err := p.deploy(ctx, l, "v0", 0, 2); err != nil {
		return nil, err
	}
	grown, err := l.memoryOfMillion(ctx)
	if err != nil {
		return nil, err
	}
	idle, err := p.memory("idle")
	if err != nil {
		return nil, err
	}
	traffic := p.startLoad()
	err = rest(ctx, loadFor)
	traffic.stop()
	if err != nil {
		return nil, err
	}
	loaded, err := p.memory("after load")
	if err != nil {
		return nil, err
	}
	idle[0].Note = fmt.Sprintf("idle: RssAnon after %s without traffic, one app with two replicas; after load: at the end of %s of %d requests/s (%d sent, %d unanswered); each process must reach the goal",
		idleFor, loadFor, rate, traffic.sent.Load(), traffic.unanswered.Load())
	return append(append(idle, grown), loaded...), p.down(ctx)
}

// memoryOfMillion lets a control plane over a million entries idle, and all others
// of this lab with it.
func (l *lab) memoryOfMillion(ctx context.Context) (figure, error) {
	state, err := l.million(ctx)
	if err != nil {
		return figure{}, err
	}
	p, err := l.up(ctx, state)
	if err != nil {
		return figure{}, err
	}
	if err := rest(ctx, idleFor); err != nil {
		return figure{}, err
	}
	f, err := p.planeMemory("idle, a million entries")
	if err != nil {
		return f, err
	}
	return f, p.down(ctx)
}

// planeMemory returns the anonymous memory of the control plane alone.
func (p *plane) planeMemory(when string) (figure, error) {
	megabytes, err := anonymous(p.at.Pid)
	return figure{Name: "control plane's memory, " + when, Unit: "MB", Goal: each(60), Samples: []float64{megabytes}}, err
}

func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// memory returns the anonymous memory of the control plane, the gateway and the
// shims.
func (p *plane) memory(when string) ([]figure, error) {
	plane, err := p.planeMemory(when)
	if err != nil {
		return nil, err
	}
	gateway := figure{Name: "gateway's memory, " + when, Unit: "MB", Goal: each(30)}
	shims := figure{Name: "a shim's memory, " + when, Unit: "MB", Goal: each(15)}
	for _, process := range processesOf(filepath.Dir(p.state)) {
		f := &shims
		switch role := process.args[min(1, len(process.args)-1)]; role {
		case "gateway":
			f = &gateway
		case "shim":
		default:
			continue
		}
		megabytes, err := anonymous(process.pid)
		if err != nil {
			return nil, err
		}
		f.Samples = append(f.Samples, megabytes)
	}
	return []figure{plane, gateway, shims}, nil
}

// anonymous returns a process's RssAnon in MB (10^6 bytes).
func anonymous(pid int) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kib * 1024 / 1e6, err
		}
	}
	return 0, fmt.Errorf("process %d has no RssAnon", pid)
}
