package device_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead/workload/device"
)

// machine is a machine's files as a test makes them.
type machine struct {
	t    *testing.T
	root string
	smi  map[string]string // what nvidia-smi answers by its first argument's beginning; nil: it is not installed
	err  error             // how it ends
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{t: t, root: t.TempDir()}
	for _, dir := range []string{"sys/bus/pci/devices", "dev/dri", "proc"} {
		m.dir(dir)
	}
	return m
}

func (m *machine) dir(name string) {
	m.t.Helper()
	if err := os.MkdirAll(filepath.Join(m.root, name), 0o755); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) write(name, text string) {
	m.t.Helper()
	m.dir(filepath.Dir(name))
	if err := os.WriteFile(filepath.Join(m.root, name), []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) link(target, name string) {
	m.t.Helper()
	m.dir(filepath.Dir(name))
	if err := os.Symlink(target, filepath.Join(m.root, name)); err != nil {
		m.t.Fatal(err)
	}
}

// node makes a device file that does what /dev/null does.
func (m *machine) node(name string) {
	m.t.Helper()
	m.dir(filepath.Dir(name))
	if err := unix.Mknod(filepath.Join(m.root, name), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil {
		m.t.Skipf("no device file can be made here: %v", err)
	}
}

func (m *machine) remove(name string) {
	m.t.Helper()
	if err := os.RemoveAll(filepath.Join(m.root, name)); err != nil {
		m.t.Fatal(err)
	}
}

// pci makes a PCI function with a driver, "" for none.
func (m *machine) pci(address, vendor, id, class, driver string) string {
	m.t.Helper()
	real := "sys/devices/pci0000:00/" + address
	m.write(real+"/vendor", vendor+"\n")
	m.write(real+"/device", id+"\n")
	m.write(real+"/class", class+"\n")
	if driver != "" {
		m.dir("sys/bus/pci/drivers/" + driver)
		m.link("../../../bus/pci/drivers/"+driver, real+"/driver")
	}
	m.link("../../../devices/pci0000:00/"+address, "sys/bus/pci/devices/"+address)
	return real
}

func nvidiaID(n int) string { return fmt.Sprintf("GPU-5ad3b1d2-0000-0000-0000-00000000000%d", n) }

// nvidia makes the nth NVIDIA GPU as its driver shows it.
func (m *machine) nvidia(n int) {
	m.t.Helper()
	address := fmt.Sprintf("0000:0%d:00.0", n+1)
	m.pci(address, "0x10de", "0x27b8", "0x030200", "nvidia")
	m.write("proc/driver/nvidia/gpus/"+address+"/information",
		fmt.Sprintf("Model: \t\t NVIDIA L4\nIRQ:   \t\t 24\nGPU UUID: \t %s\nVideo BIOS: \t 95.04.29.00.06\nBus Type: \t PCIe\nBus Location: \t %s\nDevice Minor: \t %d\nGPU Excluded:\t No\n", nvidiaID(n), address, n))
	m.node(fmt.Sprintf("dev/nvidia%d", n))
	for _, shared := range []string{"nvidiactl", "nvidia-uvm", "nvidia-uvm-tools"} {
		if _, err := os.Lstat(filepath.Join(m.root, "dev", shared)); err != nil {
			m.node("dev/" + shared)
		}
	}
	m.line(n, "23034", "1024", "37", "Disabled", "0")
}

// line sets what nvidia-smi says of a GPU.
func (m *machine) line(n int, total, used, busy, mig, errors string) {
	if m.smi == nil {
		m.smi = map[string]string{}
	}
	lines := strings.Split(m.smi["--query-gpu"], "\n")
	for len(lines) <= n {
		lines = append(lines, "")
	}
	lines[n] = fmt.Sprintf("%d, %s, 00000000:0%d:00.0, NVIDIA L4, %s, %s, %s, %s, %s", n, nvidiaID(n), n+1, total, used, busy, mig, errors)
	m.smi["--query-gpu"] = strings.Join(lines, "\n")
}

// amd makes the nth AMD GPU.
func (m *machine) amd(n int) string {
	m.t.Helper()
	address := fmt.Sprintf("0000:c%d:00.0", n)
	real := m.pci(address, "0x1002", "0x740f", "0x038000", "amdgpu")
	render := fmt.Sprintf("renderD%d", 128+n)
	m.dir(real + "/drm/" + render)
	m.dir(real + fmt.Sprintf("/drm/card%d", n))
	m.write(real+"/mem_info_vram_total", "68702699520\n")
	m.write(real+"/mem_info_vram_used", "10960896\n")
	m.write(real+"/gpu_busy_percent", "12\n")
	m.write(real+"/unique_id", fmt.Sprintf("b6d5a2a4e7c1f3b%d\n", n))
	m.write(real+"/ras/umc_err_count", "ue: 0\nce: 4\n")
	m.write(fmt.Sprintf("sys/class/kfd/kfd/topology/nodes/%d/properties", n+1), fmt.Sprintf("cpu_cores_count 0\nsimd_count 416\ndrm_render_minor %d\n", 128+n))
	m.write(fmt.Sprintf("sys/class/kfd/kfd/topology/nodes/%d/name", n+1), "aldebaran\n")
	m.node("dev/dri/" + render)
	if _, err := os.Lstat(filepath.Join(m.root, "dev/kfd")); err != nil {
		m.node("dev/kfd")
	}
	return real
}

func (m *machine) run(_ context.Context, program string, args ...string) ([]byte, error) {
	if m.smi == nil || program != "nvidia-smi" {
		return nil, device.ErrNoProgram
	}
	what, _, _ := strings.Cut(args[0], "=")
	return []byte(m.smi[what]), m.err
}

func (m *machine) look() (device.Inventory, []device.Reading) {
	m.t.Helper()
	found, readings, err := device.Finder{Root: m.root, Run: m.run}.Look(context.Background())
	if err != nil {
		m.t.Fatal(err)
	}
	if len(found.Devices) != len(readings) {
		m.t.Fatalf("%d devices have %d readings", len(found.Devices), len(readings))
	}
	return found, readings
}
