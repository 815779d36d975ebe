package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

const goRuns = "6"

// measureGo runs the Go benchmarks whose figures belong beside the others.
func measureGo(ctx context.Context, _ *lab) ([]figure, error) {
	forward, err := benchmark(ctx, "./gateway", "BenchmarkForward")
	if err != nil {
		return nil, err
	}
	observe, err := benchmark(ctx, "./rollout/judge", "BenchmarkObserve/^rps=500$/^sessions=4000$")
	if err != nil {
		return nil, err
	}
	note := "a POST of 0.4 KB answered with 1 KB in a rollout; client, proxy and app share the machine, so the differences between the three rows tell: go test -bench Forward ./gateway"
	figures := []figure{
		{Name: "a request through the gateway", Unit: "µs", Samples: forward["gateway"], Note: note},
		{Name: "  through httputil.ReverseProxy", Unit: "µs", Samples: forward["reverseproxy"]},
		{Name: "  without a proxy", Unit: "µs", Samples: forward["direct"]},
	}
	return append(figures, figure{Name: "judging a second of 500 requests", Unit: "µs", Samples: observe["sessions=4000"],
		Note: "one block at steady state, latency judged: go test -bench Observe ./rollout/judge"}), nil
}

// benchmark returns the microseconds per operation of a benchmark, by the last
// part of the name.
func benchmark(ctx context.Context, folder, pattern string) (map[string][]float64, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", pattern, "-count", goRuns, folder)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("go test -bench %s %s: %w\n%s", pattern, folder, err, out)
	}
	found := map[string][]float64{}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") || fields[3] != "ns/op" {
			continue
		}
		nanoseconds, err := strconv.ParseFloat(fields[2], 64)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", lines.Text(), err)
		}
		name := fields[0][strings.LastIndexByte(fields[0], '/')+1:]
		name = strings.TrimSuffix(name, "-"+name[strings.LastIndexByte(name, '-')+1:])
		found[name] = append(found[name], nanoseconds/1000)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("go test -bench %s %s measured nothing:\n%s", pattern, folder, out)
	}
	return found, nil
}
