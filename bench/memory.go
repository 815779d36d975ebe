package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	idleFor = time.Minute
	loadFor = time.Minute
)

// measureMemory reads what the processes of one app with two replicas hold.
func measureMemory(ctx context.Context, l *lab) ([]figure, error) {
	p, err := l.up(ctx, filepath.Join(l.temp, "memory", "s"))
	if err != nil {
		return nil, err
	}
	if err := p.deploy(ctx, l, "v0", 0, 2); err != nil {
		return nil, err
	}
	if err := rest(ctx, idleFor); err != nil {
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
	note := fmt.Sprintf("idle: RssAnon after %s without traffic; after load: at the end of %s of %d requests/s (%d sent, %d unanswered)",
		idleFor, loadFor, rate, traffic.sent.Load(), traffic.unanswered.Load())
	idle[0].Note = note
	return append(idle, loaded...), p.down(ctx)
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
	plane := figure{Name: "control plane's memory, " + when, Unit: "MB", Goal: most(60)}
	gateway := figure{Name: "gateway's memory, " + when, Unit: "MB", Goal: most(30)}
	shims := figure{Name: "a shim's memory, " + when, Unit: "MB", Goal: most(15)}
	for _, process := range processesOf(filepath.Dir(p.state)) {
		f := map[bool]*figure{true: &plane}[process.pid == p.at.Pid]
		switch {
		case slices.Contains(process.args[:min(2, len(process.args))], "gateway"):
			f = &gateway
		case slices.Contains(process.args[:min(2, len(process.args))], "shim"):
			f = &shims
		}
		if f == nil {
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
