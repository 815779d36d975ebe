//go:build linux

package local_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/local"
	"github.com/fairlead/fairlead/workload/workloadtest"
)

// gpus makes a machine's device files: nvidia0 is empty and nvidia1 full of zeros. It
// returns the first as an instance is given it.
func gpus(t *testing.T) workload.Device {
	t.Helper()
	if plain() {
		t.Skip("device files of its own need namespaces")
	}
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "dev"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, minor := range map[string]uint32{"nvidia0": 3, "nvidiactl": 3, "nvidia1": 5} {
		if err := unix.Mknod(filepath.Join(root, "dev", name), unix.S_IFCHR|0o600, int(unix.Mkdev(1, minor))); err != nil {
			t.Skipf("no device file can be made here: %v", err)
		}
	}
	library := filepath.Join(root, "libcuda.so.1")
	if err := os.WriteFile(library, []byte("the library\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return workload.Device{
		ID: "GPU-1", Vendor: "nvidia", Name: "NVIDIA L4", Root: root, Nodes: []string{"/dev/nvidia0", "/dev/nvidiactl"},
		Mounts: []workload.Mount{{Source: library, Path: "/opt/nvidia/libcuda.so.1"}, {Source: library, Path: "/usr/lib/libcuda.so.1"}},
		Env:    map[string]string{"CUDA_VISIBLE_DEVICES": "GPU-1", "PORT": "1"}, Share: 0.5, Memory: 12 << 30,
	}
}

func TestAnInstanceCanUseItsDevicesAndNoOther(t *testing.T) {
	r, spec := open(t, t.TempDir()), gpus(t)
	script := shell("one", nil, `for f in /dev/nvidia0 /dev/nvidiactl; do test -c $f && cat <$f && echo x >$f && echo "$f works"; done
ls /dev; cat /dev/nvidia1; cat `+spec.Root+`/dev/nvidia0; cat /opt/nvidia/libcuda.so.1; echo y >/opt/nvidia/libcuda.so.1; mknod /tmp/disk c 1 5; echo "cuda $CUDA_VISIBLE_DEVICES port $PORT"; stat -c %a /dev/nvidia0`)
	script.Devices = []workload.Device{spec}
	i := workloadtest.Start(t, r, script, nil)
	workloadtest.Eventually(t, func() (bool, string) { log := i.Log(0); return strings.Contains(log, "done"), log })
	log := i.Log(0)
	for _, want := range []string{"/dev/nvidia0 works", "/dev/nvidiactl works", "out the library", "cuda GPU-1 port 8080", "cat: /dev/nvidia1: No such file"} {
		if !strings.Contains(log, want) {
			t.Errorf("it does not say %q: %s", want, log)
		}
	}
	for _, bad := range []string{"out nvidia1", "port 1\n"} {
		if strings.Contains(log, bad) {
			t.Errorf("it says %q: %s", bad, log)
		}
	}
	if strings.Count(log, "Permission denied")+strings.Count(log, "Read-only file system")+strings.Count(log, "not permitted")+strings.Count(log, "No such file") < 4 {
		t.Errorf("it reached more than its devices: %s", log)
	}
	status := i.Status()
	var said workload.Protection
	for _, p := range status.Protections {
		if p.Name == workload.OwnDevices {
			said = p
		}
	}
	want := workload.Protection{Name: workload.OwnDevices, Enforced: true,
		Detail: "only /dev/nvidia0, /dev/nvidiactl; 12 GiB of NVIDIA L4 is its part, which the driver does not enforce; 1 library could not be shown"}
	if said != want {
		t.Errorf("its protections say %+v, want %+v", said, want)
	}
}

func TestAnInstanceWithoutDevicesSeesNone(t *testing.T) {
	gpus(t)
	r := open(t, t.TempDir())
	i := workloadtest.Start(t, r, shell("none", nil, "ls /dev /sys; cat /proc/cpuinfo"), nil)
	workloadtest.Eventually(t, func() (bool, string) { log := i.Log(0); return strings.Contains(log, "done"), log })
	if log := i.Log(0); strings.Contains(log, "nvidia") || !strings.Contains(log, "/sys'") || !strings.Contains(log, "/proc/cpuinfo:") {
		t.Errorf("it sees %s", log)
	}
}

func TestWhatIsNoDeviceIsRefused(t *testing.T) {
	for _, node := range []string{"/etc/shadow", "dev/nvidia0", "/dev/../etc/shadow", "/dev", "/dev/shm/x"} {
		spec := workloadtest.Spec(appDir(), "one")
		spec.Devices = []workload.Device{{ID: "GPU-1", Nodes: []string{node}}}
		if err := (local.Sandbox{}).Check(spec); err == nil {
			t.Errorf("a device %q is taken", node)
		}
	}
	d := gpus(t)
	if err := os.WriteFile(filepath.Join(d.Root, "dev/nvidia2"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d.Nodes = []string{"/dev/nvidia2"}
	spec := shell("file", nil, "true")
	spec.Devices = []workload.Device{d}
	i := workloadtest.Start(t, open(t, t.TempDir()), spec, nil)
	workloadtest.Eventually(t, func() (bool, string) {
		s := i.Status()
		return strings.Contains(s.LastExit, "nvidia2 is not a device file"), s.LastExit + string(s.State)
	})
}
