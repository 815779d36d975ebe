package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAnotherToolReadsAWorldAndIsScored(t *testing.T) {
	const cell = "ready-but-broken/10rps/random/flat"
	var world, table bytes.Buffer
	ctx := context.Background()
	if err := run(ctx, []string{"write", "-cell", cell, "-world", "0", "-until", "30s"}, &world, io.Discard); err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewReader(&world)
	if err != nil {
		t.Fatal(err)
	}
	lines := json.NewDecoder(zip)
	var header struct{ Format, Cell string }
	if err := lines.Decode(&header); err != nil || header.Format != "fairlead-corpus-1" || header.Cell != cell {
		t.Fatalf("header %+v, %v", header, err)
	}
	back := firstFailure(t, lines)
	file := filepath.Join(t.TempDir(), "decisions.jsonl")
	text := fmt.Sprintf("{%q:%q,%q:0,%q:1,%q:0.1}\n{%[1]q:%[2]q,%[3]q:0,%[4]q:%[6]g,%[5]q:0,%[7]q:%[8]q}\n", "cell", cell, "world", "t", "weight", back, "state", "rolledBack")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := run(ctx, []string{"score", file}, &table, io.Discard); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(table.String(), "decisions") || !strings.Contains(table.String(), "100 %") {
		t.Errorf("the table:\n%s", table.String())
	}
}

// firstFailure is when a tool with a tenth of the units knows of a failed request.
func firstFailure(t *testing.T, lines *json.Decoder) float64 {
	t.Helper()
	for {
		var request struct {
			T, U           float64
			Stable, Canary *struct {
				Latency float64
				Outcome string
			}
		}
		if err := lines.Decode(&request); err != nil {
			t.Fatalf("no failure before the end: %v", err)
		}
		if request.T > 1 && request.U < 0.1 && request.Canary != nil && request.Canary.Outcome != "ok" {
			return request.T + request.Canary.Latency
		}
	}
}

func TestABenchOfAFewRolloutsWritesAllResults(t *testing.T) {
	if testing.Short() {
		t.Skip("plays several worlds under all judges")
	}
	t.Chdir("../../..") // whose source is Fairlead's version
	dir := t.TempDir()
	var out, progress bytes.Buffer
	args := []string{"bench", "-profile", "quick", "-rollouts", "1", "-validity", "0", "-cells", "^(ready-but-broken|errors-50%)/", "-dir", dir}
	if err := run(context.Background(), args, &out, &progress); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"benchmark.md", "benchmark.json", "benchmark.svg"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !strings.Contains(out.String(), "fairlead") || !strings.Contains(out.String(), "wholly broken, 10 rps") {
		t.Errorf("it printed:\n%s", out.String())
	}
	played := progress.Len()
	if err := run(context.Background(), args, io.Discard, &progress); err != nil {
		t.Fatal(err)
	}
	if played == 0 || progress.Len() != played {
		t.Errorf("the second run played again:\n%s", progress.String())
	}
}

func TestWrongArgumentsAreTold(t *testing.T) {
	t.Chdir("../../..")
	for want, args := range map[string][]string{
		"want one of":        {},
		"none of":            {"dance"},
		"no cell is called":  {"write", "-cell", "x"},
		"profile":            {"bench", "-profile", "huge"},
		"no judge matches":   {"bench", "-judges", "^nobody$"},
		"can only be played": {"write", "-cell", "stalls/10rps/random/flat"},
		"want a file":        {"score"},
	} {
		if err := run(context.Background(), args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", args, err, want)
		}
	}
}
