package compose_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/app/compose"
	"github.com/fairlead/fairlead/internal/quantity"
)

// asked says what an app asks for, and what of it people are told, in one line.
func asked(t *testing.T, imported compose.Imported) string {
	t.Helper()
	spec := appOf(t, imported, "web")
	said := []string{}
	for _, env := range spec.Environments {
		if env.Replicas > 1 {
			said = append(said, fmt.Sprint("replicas ", env.Replicas))
		}
	}
	r := spec.Resources
	for what, text := range map[string]string{"cpu ": r.CPU, "memory ": r.Memory, "shm ": r.Shm} {
		if text != "" {
			said = append(said, what+text)
		}
	}
	if g := r.GPU; g != nil {
		said = append(said, strings.TrimSpace(fmt.Sprint("gpu ", g.Count, " ", g.Vendor)))
	}
	if l := spec.Loosen; l != nil && l.Processes > 0 {
		said = append(said, fmt.Sprint("processes ", l.Processes))
	}
	slices.Sort(said)
	for _, n := range imported.Services[0].Notes {
		if n.What != "no port" && (n.Kind != compose.Decide || n.What != "devices: gpu") && !strings.HasPrefix(n.Why, "a protection that holds") {
			said = append(said, n.Kind+" "+n.What)
		}
	}
	return strings.Join(said, "; ")
}

func TestWhatAServiceAsksForIsWrittenOrTold(t *testing.T) {
	const nvidia = "gpus: [{driver: nvidia, count: %s}]"
	for attribute, want := range map[string]string{
		"mem_limit: 2g":        "memory 2Gi",
		"mem_limit: 1536m":     "memory 1536Mi",
		"mem_limit: 300000000": "memory 300000000",
		"mem_limit: 1025":      "memory 1025",
		"mem_limit: -1":        "lost memory",
		"cpus: 2":              "cpu 2",
		"cpus: 0.25":           "cpu 250m",
		"cpus: 0.0001":         "lost cpus",
		"shm_size: 64m":        "",
		"shm_size: 65m":        "shm 65Mi",
		"pids_limit: 512":      "",
		"pids_limit: 100":      "changed pids_limit: 100",
		"pids_limit: 1000":     "processes 1000",
		"pids_limit: -1":       "lost pids_limit: no limit",
		"pids_limit: 70000":    "lost pids_limit: 70000",
		"scale: 1":             "",
		"scale: 0":             "lost scale: 0",
		"scale: 100":           "replicas 100",
		"scale: 101":           "replicas 100; lost scale: 101",
		"deploy: {replicas: 3, resources: {limits: {cpus: '1.5', memory: 1g, pids: 600}}}": "cpu 1500m; memory 1Gi; processes 600; replicas 3",
		"deploy: {replicas: 0}": "lost deploy.replicas: 0",
		"deploy: {resources: {reservations: {cpus: '1', memory: 1g}}}":                                    "lost deploy.resources.reservations.cpus; lost deploy.resources.reservations.memory",
		"deploy: {resources: {limits: {cpus: '2', memory: 2g}, reservations: {cpus: '1', memory: 1g}}}":   "cpu 2; memory 2Gi",
		"deploy: {resources: {reservations: {devices: [{capabilities: [gpu]}]}}}":                         "gpu 1; decide devices: count: all",
		"deploy: {resources: {reservations: {devices: [{capabilities: [gpu], count: 0}]}}}":               "idle devices: count: 0",
		"deploy: {resources: {reservations: {devices: [{capabilities: [tpu], count: 1}]}}}":               "lost devices: tpu",
		"deploy: {resources: {reservations: {devices: [{capabilities: [gpu], device_ids: ['0', '3']}]}}}": "gpu 2; changed devices: device_ids",
		"gpus: all":                      "gpu 1; decide devices: count: all",
		fmt.Sprintf(nvidia, "4"):         "gpu 4 nvidia",
		fmt.Sprintf(nvidia, "0"):         "idle devices: count: 0",
		fmt.Sprintf(nvidia, "-1"):        "gpu 1 nvidia; decide devices: count: all",
		fmt.Sprintf(nvidia, "65"):        "lost devices: gpu",
		"gpus: [{count: 2}, {count: 1}]": "gpu 2; lost devices: gpu: another request",
		"runtime: nvidia":                "gpu 1 nvidia; decide devices: count: all",
		"runtime: runsc":                 "lost runtime: runsc",
	} {
		imported, err := importIn(t, map[string]string{"compose.yaml": "services: {web: {image: a, " + attribute + "}}\n"})
		if err != nil {
			t.Errorf("%s: %v", attribute, err)
			continue
		}
		if got := asked(t, imported); got != want {
			t.Errorf("%s becomes %q, want %q", attribute, got, want)
		}
	}
}

func TestAnAmountOfMemoryIsNeverWrittenAsAnother(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		unit := rapid.SampledFrom([]int64{1, 1000, 1 << 10, 1 << 20, 1 << 30}).Draw(r, "unit")
		bytes := unit * rapid.Int64Range(1, 5000).Draw(r, "amount")
		imported, err := importIn(t, map[string]string{"compose.yaml": fmt.Sprintf("services: {web: {image: a, mem_limit: %d}}\n", bytes)})
		if err != nil {
			r.Fatal(err)
		}
		text := appOf(t, imported, "web").Resources.Memory
		if got, ok := quantity.ParseBytes(text); !ok || got != bytes {
			r.Errorf("%d bytes are written as %q", bytes, text)
		}
	})
}

func TestAServiceThatComposeKeepsIsReachedWhereItIsPublished(t *testing.T) {
	for ports, want := range map[string]string{
		"'5433:5432'":                     "127.0.0.1:5433",
		"'0.0.0.0:5433:5432'":             "127.0.0.1:5433",
		"'[::]:5433:5432'":                "127.0.0.1:5433",
		"'127.0.0.1:5433:5432'":           "127.0.0.1:5433",
		"'127.0.0.2:5433:5432'":           "127.0.0.2:5433",
		"'[::1]:5433:5432'":               "[::1]:5433",
		"'192.168.7.1:5433:5432'":         "192.168.7.1:5433",
		"'9187:9187', '127.0.0.3:1:5432'": "127.0.0.3:1",
		"'9187:9187'":                     "127.0.0.1:5432", // told: it publishes none
	} {
		imported, err := importIn(t, map[string]string{"compose.yaml": "services:\n  web: {image: a, environment: {DATABASE: 'postgres://db/shop'}}\n  db: {image: 'postgres:16', ports: [" + ports + "]}\n"})
		if err != nil {
			t.Fatal(err)
		}
		spec := appOf(t, imported, "web")
		if !slices.Equal(spec.Network.Reach, []string{want}) || spec.Env["DATABASE"] != "postgres://"+want+"/shop" {
			t.Errorf("published at %s it is reached at %q and called %q, want %s", ports, spec.Network.Reach, spec.Env["DATABASE"], want)
		}
		untold := !slices.ContainsFunc(imported.Services[0].Notes, func(n compose.Note) bool { return n.What == "the address of db" })
		if untold != (ports != "'9187:9187'") {
			t.Errorf("published at %s, the notes are %+v", ports, imported.Services[0].Notes)
		}
	}
}

func TestAnAddressOfAnInstancesOwnStaysAsItIs(t *testing.T) {
	for _, value := range []string{"http://127.0.0.1:8000", "http://127.0.0.53:53/x", "http://127.9.9.9", "http://0.0.0.0:80", "http://localhost"} {
		imported, err := importIn(t, map[string]string{"compose.yaml": "services: {web: {image: a, environment: {ONE: '" + value + "'}}}\n"})
		if err != nil {
			t.Fatal(err)
		}
		if spec := appOf(t, imported, "web"); spec.Env["ONE"] != value || len(spec.Network.Reach) > 0 {
			t.Errorf("%s became %q and reaches %q", value, spec.Env["ONE"], spec.Network.Reach)
		}
	}
}
