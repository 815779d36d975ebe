//go:build linux

package container_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/workloadtest"
)

func TestAContainerCanUseItsDevicesAndNoOther(t *testing.T) {
	machine := t.TempDir()
	if err := os.Chmod(machine, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(machine, "dev"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"nvidia0", "nvidia1"} {
		node := filepath.Join(machine, "dev", name)
		if err := unix.Mknod(node, unix.S_IFCHR|0o660, int(unix.Mkdev(1, 3))); err != nil {
			t.Skipf("no device file can be made here: %v", err)
		}
		if err := errors.Join(os.Chmod(node, 0o660), os.Chown(node, 0, 4321)); err != nil {
			t.Fatal(err)
		}
	}
	library := filepath.Join(machine, "libcuda.so.1")
	if err := os.WriteFile(library, []byte("the library"), 0o644); err != nil {
		t.Fatal(err)
	}
	eachEngine(t, func(t *testing.T, w world) {
		r := openRuntime(t, t.TempDir())
		for path, want := range map[string]string{"/dev/nvidia0": "stdout <nil>", "/dev/nvidia1": "stdout open /dev/nvidia1: ", "/usr/lib/libcuda.so.1": "read-only file system"} {
			spec := w.spec(strings.ToLower("one-"+filepath.Base(strings.ReplaceAll(path, ".", "-"))), "write", path)
			spec.Devices = []workload.Device{{ID: "GPU-1", Root: machine, Nodes: []string{"/dev/nvidia0"}, Share: 1,
				Mounts: []workload.Mount{{Source: library, Path: "/usr/lib/libcuda.so.1"}}, Env: map[string]string{"CUDA_VISIBLE_DEVICES": "GPU-1"}}}
			i := workloadtest.Start(t, r, spec, nil)
			workloadtest.Eventually(t, func() (bool, string) { log := i.Log(0); return strings.Contains(log, want), path + ": " + log })
			status := i.Await("what was enforced", func(s workload.Status) bool { return len(s.Protections) > 0 })
			if p := protection(t, status, workload.OwnDevices); !p.Enforced || p.Detail != "only /dev/nvidia0" {
				t.Errorf("its protections say %+v", p)
			}
		}
	})
}
