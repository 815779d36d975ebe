package device_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/workload/device"
)

func TestAProgramThatEndsWellWithoutAWordTellsNothing(t *testing.T) {
	for _, said := range []string{"", "\n", "index, uuid\n", "No devices were found\n", "0, GPU-1\n", strings.Repeat("\x00,", 4096)} {
		m := newMachine(t)
		m.nvidia(0)
		m.smi["--query-gpu"] = said
		found, readings := m.look()
		if !found.Blind || !strings.Contains(strings.Join(found.Notes, "\n"), "nvidia-smi tells nothing") {
			t.Errorf("%.20q is believed: %+v", said, found)
		}
		if len(found.Devices) != 1 || found.Devices[0].ID != nvidiaID(0) || readings[0].Used != -1 {
			t.Errorf("%.20q: %+v, %+v", said, found.Devices, readings)
		}
	}
}

func TestADeviceKeepsTheNameThatItsDriverHasForIt(t *testing.T) {
	m := newMachine(t)
	m.nvidia(0)
	for n := range 3 { // each call says another
		m.smi["--query-gpu"] = fmt.Sprintf("0, GPU-%08d-dead-beef-0000-000000000000, 00000000:01:00.0, NVIDIA L4, 23034, 1024, 37, Disabled, 0", n)
		found, _ := m.look()
		if len(found.Devices) != 1 || found.Devices[0].ID != nvidiaID(0) || found.Blind {
			t.Errorf("call %d: %+v", n, found)
		}
		if !strings.Contains(strings.Join(found.Notes, "\n"), "dead-beef") {
			t.Errorf("nobody is told: %q", found.Notes)
		}
	}
}

func TestMoreMemoryInUseThanThereIsIsNotKnown(t *testing.T) {
	m := newMachine(t)
	m.nvidia(0)
	m.line(0, "23034", "1099511627776", "37", "Disabled", "0")
	if _, readings := m.look(); readings[0].Used != -1 {
		t.Errorf("%d bytes are used of 22.5 GiB", readings[0].Used)
	}
}

func TestADescriptionHandsOverNothingOfTheMachinesOwn(t *testing.T) {
	m := newMachine(t)
	m.nvidia(0)
	var mounts strings.Builder
	for _, path := range []string{"/etc/shadow", "/root/.ssh/id_ed25519", "/var/lib/docker", "/home/ann/work", "/srv/data/db", "/boot/grub/grub.cfg"} {
		m.write(path, "the machine's")
		fmt.Fprintf(&mounts, "        - hostPath: %s\n          containerPath: %s\n", path, path)
	}
	for _, path := range []string{"/usr/lib/libcuda.so.550", "/etc/vulkan/icd.d/nvidia_icd.json", "/run/nvidia/driver/usr/lib/libcuda.so.550"} {
		m.write(path, "the vendor's")
		fmt.Fprintf(&mounts, "        - hostPath: %s\n          containerPath: %s\n", path, path)
	}
	before, _, _ := strings.Cut(spec, "    mounts:\n")
	m.write("etc/cdi/nvidia.yaml", before+"    mounts:\n"+mounts.String())
	found, _ := m.look()
	var given []string
	for _, mount := range found.Devices[0].Mounts {
		given = append(given, mount.Path)
	}
	if want := "/usr/lib/libcuda.so.550 /etc/vulkan/icd.d/nvidia_icd.json /run/nvidia/driver/usr/lib/libcuda.so.550"; strings.Join(given, " ") != want {
		t.Errorf("it hands over %v of %+v", given, found)
	}
}

func TestWhatAProgramLeavesBehindIsEnded(t *testing.T) {
	m := newMachine(t)
	left := filepath.Join(t.TempDir(), "pid")
	m.write("usr/bin/nvidia-smi", "#!/bin/sh\nsleep 1000 </dev/null >/dev/null 2>&1 &\necho $! > "+left+"\necho GPU\n")
	if err := os.Chmod(filepath.Join(m.root, "usr/bin/nvidia-smi"), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := device.Programs(m.root)(t.Context(), "nvidia-smi"); err != nil || string(out) != "GPU\n" {
		t.Fatalf("%q, %v", out, err)
	}
	text, err := os.ReadFile(left)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); runs(pid); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("process %d is left", pid)
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// runs reports whether a process runs; one that nobody has reaped yet does not.
func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, after, _ := strings.Cut(string(stat), ") ")
	return err == nil && !strings.HasPrefix(after, "Z")
}
