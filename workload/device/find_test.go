package device_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/device"
)

const gib = 1 << 30

func TestNVIDIAGPUsAreFoundWithAllThatIsKnownOfThem(t *testing.T) {
	m := newMachine(t)
	m.nvidia(0)
	m.nvidia(1)
	m.pci("0000:00:02.0", "0x8086", "0x0412", "0x030000", "i915")          // another vendor's
	m.pci("0000:01:00.1", "0x10de", "0x22bc", "0x040300", "snd_hda_intel") // its sound card
	found, readings := m.look()
	want := device.Device{
		ID: nvidiaID(0), PCI: "0000:01:00.0", Vendor: device.NVIDIA, Name: "NVIDIA L4", Memory: 23034 << 20,
		Nodes: []string{"/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools"},
	}
	if len(found.Devices) != 2 || !reflect.DeepEqual(found.Devices[0], want) || found.Devices[1].ID != nvidiaID(1) {
		t.Errorf("found %+v, want two beginning with %+v", found, want)
	}
	if r := readings[0]; r != (device.Reading{Device: nvidiaID(0), Used: gib, Busy: 0.37}) {
		t.Errorf("the first is read as %+v", r)
	}
}

func TestNVIDIAGPUsAreFoundWithoutItsProgram(t *testing.T) {
	m := newMachine(t)
	m.nvidia(0)
	m.smi = nil
	found, readings := m.look()
	if len(found.Devices) != 1 || found.Devices[0].ID != nvidiaID(0) || found.Devices[0].Name != "NVIDIA L4" || found.Devices[0].Memory != 0 || found.Devices[0].Missing != "" {
		t.Errorf("found %+v", found)
	}
	if !strings.Contains(strings.Join(found.Notes, "\n"), "nvidia-smi is not installed") {
		t.Errorf("the notes are %q", found.Notes)
	}
	if readings[0].Used != -1 || readings[0].Busy != -1 || readings[0].Fault != "" {
		t.Errorf("it is read as %+v", readings[0])
	}
}

func TestAnOlderDriverIsAskedForLess(t *testing.T) {
	m := newMachine(t)
	m.nvidia(0)
	asked := []string{}
	run := func(_ context.Context, _ string, args ...string) ([]byte, error) {
		asked = append(asked, args[0])
		if strings.Contains(args[0], "mig.mode") {
			return []byte(`Field "mig.mode.current" is not a valid field to query.`), errors.New("exit status 2")
		}
		return []byte("0, " + nvidiaID(0) + ", 00000000:01:00.0, Tesla K80, 11441, 5, 0\n"), nil
	}
	found, readings, err := device.Finder{Root: m.root, Run: run}.Look(t.Context())
	if err != nil || len(asked) != 2 || found.Devices[0].Name != "Tesla K80" || readings[0].Errors != -1 || readings[0].Used != 5<<20 {
		t.Errorf("asked %q, found %+v %+v, %v", asked, found, readings, err)
	}
}

func TestAMDGPUsAreFoundWithAllThatIsKnownOfThem(t *testing.T) {
	m := newMachine(t)
	m.amd(0)
	m.amd(1)
	m.write("sys/class/kfd/kfd/topology/nodes/2/name", "navi31\n")
	found, readings := m.look()
	want := device.Device{
		ID: "GPU-b6d5a2a4e7c1f3b0", PCI: "0000:c0:00.0", Vendor: device.AMD, Name: "AMD aldebaran", Memory: 68702699520,
		Nodes: []string{"/dev/dri/renderD128", "/dev/kfd"},
	}
	if len(found.Devices) != 2 || !reflect.DeepEqual(found.Devices[0], want) || found.Devices[1].Nodes[0] != "/dev/dri/renderD129" || found.Devices[1].Name != "AMD navi31" {
		t.Errorf("found %+v, want two beginning with %+v", found, want)
	}
	if r := readings[0]; r.Used != 10960896 || r.Busy != 0.12 || r.Errors != 0 {
		t.Errorf("the first is read as %+v", r)
	}
}

func TestBothVendorsAreFoundOnOneMachine(t *testing.T) {
	m := newMachine(t)
	m.nvidia(0)
	m.amd(0)
	found, _ := m.look()
	if len(found.Devices) != 2 || found.Devices[0].Vendor != device.NVIDIA || found.Devices[1].Vendor != device.AMD {
		t.Errorf("found %+v", found)
	}
}

func TestAGPUIsToldByItsPCIClass(t *testing.T) {
	for class, is := range map[string]bool{
		"0x030000": true, "0x030200": true, "0x038000": true, "0x120000": true, // with a screen, without, neither, an accelerator
		"0x030100": false, "0x040300": false, "0x010802": false, "0x0302": false, "0x03020": false, "0x0302000": false, "030200": false, "": false,
	} {
		m := newMachine(t)
		m.pci("0000:01:00.0", "0x1002", "0x740f", class, "amdgpu")
		if found, _ := m.look(); (len(found.Devices) == 1) != is {
			t.Errorf("of the class %q found %+v, want one: %v", class, found.Devices, is)
		}
	}
}

func TestAMachineWithoutGPUsHasNone(t *testing.T) {
	m := newMachine(t)
	if found, _ := m.look(); len(found.Devices) != 0 || len(found.Notes) != 0 {
		t.Errorf("found %+v", found)
	}
	empty, readings, err := device.Finder{Root: t.TempDir()}.Look(t.Context())
	if err != nil || len(empty.Devices) != 0 || len(readings) != 0 {
		t.Errorf("an empty tree has %+v, %v", empty, err)
	}
	if _, _, err := (device.Finder{Root: filepath.Join(t.TempDir(), "none")}).Look(t.Context()); err == nil {
		t.Error("a tree that is not there is looked through")
	}
}

func TestOnlyTheFirst64GPUsAreTaken(t *testing.T) {
	m := newMachine(t)
	for i := range 65 {
		m.pci(fmt.Sprintf("0000:%02x:00.0", i), "0x1002", "0x740f", "0x038000", "amdgpu")
	}
	if found, _ := m.look(); len(found.Devices) != 64 || len(found.Notes) != 1 || !strings.Contains(found.Notes[0], "more than 64 GPUs") {
		t.Errorf("of 65 GPUs %d are found, with the notes %q", len(found.Devices), found.Notes)
	}
}

func TestTwoGPUsWithOneIDAreNotTakenForOne(t *testing.T) {
	m := newMachine(t)
	m.amd(0)
	m.write(m.amd(1)+"/unique_id", "b6d5a2a4e7c1f3b0\n")
	if found, _ := m.look(); len(found.Devices) != 1 || found.Devices[0].PCI != "0000:c0:00.0" || len(found.Notes) != 1 || !strings.Contains(found.Notes[0], "0000:c1:00.0 has the id") {
		t.Errorf("found %+v", found)
	}
}

func TestAGPUOfALargeDomainIsKnownByWhatItsProgramTells(t *testing.T) {
	for domain, told := range map[string]string{"0000": "00000000", "0001": "00000001", "6a0e": "00006A0E", "10000": "00010000"} {
		m := newMachine(t)
		m.pci(domain+":03:00.0", "0x10de", "0x27b8", "0x030200", "nvidia")
		m.smi = map[string]string{"--query-gpu": "0, " + nvidiaID(0) + ", " + told + ":03:00.0, NVIDIA L4, 23034, 12, 3, [N/A], [N/A]"}
		if found, _ := m.look(); len(found.Devices) != 1 || found.Devices[0].ID != nvidiaID(0) {
			t.Errorf("%s of the program is not %s: %+v", told, domain, found)
		}
	}
}

func TestWhatCannotBeUsedIsFoundAndSaysWhy(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(m *machine)
		want  string
	}{
		"without a driver":         {func(m *machine) { m.remove("sys/devices/pci0000:00/0000:01:00.0/driver") }, "no driver is loaded"},
		"given to a machine":       {func(m *machine) { m.redriver("vfio-pci") }, "it has the driver vfio-pci instead of nvidia"},
		"without its device file":  {func(m *machine) { m.remove("dev/nvidia0") }, "there is no device file /dev/nvidia0"},
		"without the control file": {func(m *machine) { m.remove("dev/nvidiactl") }, "there is no device file /dev/nvidiactl"},
		"unknown to its driver":    {func(m *machine) { m.remove("proc/driver") }, "its driver does not tell which"},
		"with a file for a node": {func(m *machine) {
			m.remove("dev/nvidia0")
			m.write("dev/nvidia0", "")
		}, "there is no device file /dev/nvidia0"},
		"with a link for a node": {func(m *machine) {
			m.remove("dev/nvidia0")
			m.link("/dev/null", "dev/nvidia0")
		}, "there is no device file /dev/nvidia0"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.nvidia(0)
			c.spoil(m)
			found, _ := m.look()
			if len(found.Devices) != 1 || !strings.Contains(found.Devices[0].Missing, c.want) {
				t.Errorf("found %+v, want one that is missing for %q", found, c.want)
			}
		})
	}
}

func (m *machine) redriver(name string) {
	m.remove("sys/devices/pci0000:00/0000:01:00.0/driver")
	m.dir("sys/bus/pci/drivers/" + name)
	m.link("../../../bus/pci/drivers/"+name, "sys/devices/pci0000:00/0000:01:00.0/driver")
}

func TestALostGPUIsAFault(t *testing.T) {
	for said, want := range map[string]string{
		"0, " + nvidiaID(0) + ", 00000000:01:00.0, NVIDIA L4, [GPU is lost], [GPU is lost], [GPU is lost], [GPU is lost], [GPU is lost]": "GPU is lost",
		"0, " + nvidiaID(0) + ", 00000000:01:00.0, NVIDIA L4, 23034, 12, [Unknown Error], Disabled, 0":                                   "Unknown Error",
		"0, " + nvidiaID(0) + ", 00000000:01:00.0, NVIDIA L4, 23034, 12, [GPU requires reset], Disabled, 0":                              "GPU requires reset",
		"Unable to determine the device handle for GPU0000:01:00.0: GPU is lost.  Reboot the system to recover this GPU":                 "GPU is lost. Reboot the system to recover this GPU",
		"0, " + nvidiaID(0) + ", 00000000:01:00.0, NVIDIA L4, 23034, 12, 3, [N/A], [N/A]":                                                "",
		"0, " + nvidiaID(0) + ", 00000000:01:00.0, NVIDIA GT 710, [Not Supported], [Not Supported], [Not Supported], [N/A], [N/A]":       "",
	} {
		m := newMachine(t)
		m.nvidia(0)
		m.smi["--query-gpu"], m.err = said, errors.New("exit status 15")
		found, readings := m.look()
		if len(readings) != 1 || readings[0].Fault != want || found.Devices[0].ID != nvidiaID(0) {
			t.Errorf("%q is read as %+v of %+v, want the fault %q", said, readings, found, want)
		}
	}
}

func TestNumbersThatAreNoneAreNotKnown(t *testing.T) {
	m := newMachine(t)
	m.nvidia(0)
	m.nvidia(1)
	m.line(0, "NaN", "-5", "1e400", "perhaps", "99999999999999999999")
	m.line(1, "-1", "[N/A]", "101", "perhaps", "-1")
	at := m.amd(0)
	for file, text := range map[string]string{"mem_info_vram_total": "-1", "mem_info_vram_used": "NaN", "gpu_busy_percent": "101", "unique_id": "0000000000000000", "ras/umc_err_count": "ue: -4"} {
		m.write(at+"/"+file, text)
	}
	found, readings := m.look()
	for i, r := range readings {
		if r.Used != -1 || r.Busy != -1 || r.Errors != -1 || found.Devices[i].Memory != 0 {
			t.Errorf("%+v of %+v is believed", r, found.Devices[i])
		}
	}
	if found.Devices[2].ID != "0000:c0:00.0" {
		t.Errorf("a GPU whose id is zero is called %s", found.Devices[2].ID)
	}
}

func TestHostileFilesAreNotRead(t *testing.T) {
	m := newMachine(t)
	m.nvidia(0)
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("Model: the secret\nDevice Minor: 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	information := "proc/driver/nvidia/gpus/0000:01:00.0/information"
	m.smi = nil
	for name, lay := range map[string]func(){
		"a link out of the tree": func() { m.link(outside, information) },
		"a huge file":            func() { m.write(information, "Device Minor: 0\nModel: "+strings.Repeat("x", 1<<20)) },
		"a pipe": func() {
			if err := unix.Mkfifo(filepath.Join(m.root, information), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"a directory": func() { m.dir(information) },
	} {
		m.remove(information)
		lay()
		found, _ := m.look()
		if len(found.Devices) != 1 || found.Devices[0].Missing == "" || strings.Contains(found.Devices[0].Name, "secret") {
			t.Errorf("%s is read: %+v", name, found)
		}
	}
}

func TestTextOfTheMachineIsMadeFitToBeShown(t *testing.T) {
	m := newMachine(t)
	at := m.amd(0)
	m.write(at+"/product_name", "Radeon\x1b[31m \u202eevil\n\xff"+strings.Repeat("y", 500))
	found, _ := m.look()
	if name := found.Devices[0].Name; len(name) > 120 || strings.ContainsAny(name, "\x1b\n\u202e") || !strings.HasPrefix(name, "Radeon") {
		t.Errorf("its name is %q", name)
	}
}

const spec = `---
cdiVersion: 0.5.0
kind: nvidia.com/gpu
devices:
    - name: "0"
      containerEdits:
        deviceNodes:
            - path: /dev/nvidia0
            - path: /dev/dri/card1
            - path: /dev/dri/renderD130
    - name: GPU-5ad3b1d2-0000-0000-0000-000000000000
      containerEdits:
        deviceNodes:
            - path: /dev/nvidia0
    - name: all
      containerEdits:
        deviceNodes:
            - path: /dev/nvidia0
            - path: /dev/nvidia1
containerEdits:
    env:
        - NVIDIA_VISIBLE_DEVICES=void
        - NVIDIA_CTK_LIBCUDA_DIR=/usr/lib
        - ld_preload=/tmp/evil
        - LD_PRELOAD=/tmp/evil
        - LD_AUDIT=/tmp/evil
        - PATH=/tmp/evil
        - HOME=/tmp/evil
    deviceNodes:
        - path: /dev/nvidiactl
        - path: /dev/sda
    hooks:
        - hookName: createContainer
          path: /usr/bin/nvidia-cdi-hook
          args: [nvidia-cdi-hook, update-ldcache, --folder, /usr/lib]
    mounts:
        - hostPath: /usr/lib/libcuda.so.550
          containerPath: /usr/lib/libcuda.so.550
          options: [ro, nosuid, nodev, bind]
        - hostPath: /usr/lib
          containerPath: /usr/lib
        - hostPath: /usr/lib/gone.so
          containerPath: /usr/lib/gone.so
`

func TestADescriptionCompletesADevice(t *testing.T) {
	m := newMachine(t)
	m.nvidia(0)
	m.nvidia(1)
	m.node("dev/dri/renderD130")
	m.node("dev/sda")
	m.write("usr/lib/libcuda.so.550", "")
	m.link("libcuda.so.550", "usr/lib/libcuda.so.1")
	m.link("libother.so.550", "usr/lib/libcuda.so")
	m.write("etc/cdi/nvidia.yaml", spec)
	found, _ := m.look()
	d := found.Devices[0]
	if d.CDI != "nvidia.com/gpu="+nvidiaID(0) {
		t.Errorf("it is called %q", d.CDI)
	}
	if want := []workload.Mount{
		{Source: m.root + "/usr/lib/libcuda.so.550", Path: "/usr/lib/libcuda.so.550"},
		{Source: m.root + "/usr/lib/libcuda.so.1", Path: "/usr/lib/libcuda.so.1"},
	}; !slices.Equal(d.Mounts, want) {
		t.Errorf("it has the mounts %v, want %v", d.Mounts, want)
	}
	if !reflect.DeepEqual(d.Env, map[string]string{"NVIDIA_CTK_LIBCUDA_DIR": "/usr/lib"}) {
		t.Errorf("it has the variables %v", d.Env)
	}
	if slices.Contains(d.Nodes, "/dev/sda") {
		t.Error("a disk is handed over with a GPU")
	}
	if found.Devices[1].CDI != "" || len(found.Notes) > 0 {
		t.Errorf("the other one is %+v, with notes %q", found.Devices[1], found.Notes)
	}
	m.write("etc/cdi/nvidia.yaml", strings.Replace(spec, "GPU-5ad3b1d2-0000-0000-0000-000000000000", "other", 1))
	if found, _ := m.look(); !slices.Contains(found.Devices[0].Nodes, "/dev/dri/renderD130") || slices.Contains(found.Devices[0].Nodes, "/dev/dri/card1") {
		t.Errorf("the nodes are %v", found.Devices[0].Nodes)
	}
}

func TestADeviceFileIsNotTakenForAnotherOneOfTheMachine(t *testing.T) {
	m := newMachine(t)
	m.nvidia(0)
	m.node("dev/sda")
	m.node("dev/nvidia-caps/nvidia-cap1")
	m.node("dev/nvidia-caps/nvidia-cap2")
	const node = "        - path: /dev/nvidia-caps/nvidia-cap"
	m.write("etc/cdi/nvidia.yaml", strings.Replace(spec, "    deviceNodes:\n        - path: /dev/nvidiactl\n",
		"    deviceNodes:\n"+node+"1\n          hostPath: /dev/sda\n"+node+"2\n          hostPath: /dev/nvidia-caps/nvidia-cap2\n", 1))
	found, _ := m.look()
	if nodes := found.Devices[0].Nodes; slices.Contains(nodes, "/dev/nvidia-caps/nvidia-cap1") || !slices.Contains(nodes, "/dev/nvidia-caps/nvidia-cap2") {
		t.Errorf("its files are %q of %+v", nodes, found)
	}
}

func TestWhatWasDescribedSinceTheStartCountsBeforeWhatWasLaidDown(t *testing.T) {
	for _, laid := range []string{"etc/cdi/nvidia.yaml", "var/run/cdi/z.yaml"} {
		m := newMachine(t)
		m.nvidia(0)
		m.write(laid, strings.Replace(spec, "DIR=/usr/lib", "DIR=/old", 1))
		m.write("var/run/cdi/nvidia.yaml", spec)
		if found, _ := m.look(); found.Devices[0].Env["NVIDIA_CTK_LIBCUDA_DIR"] != "/usr/lib" || len(found.Notes) > 0 {
			t.Errorf("%s counts: %+v", laid, found)
		}
	}
}

func TestABadDescriptionIsANoteAndNothingElse(t *testing.T) {
	json := `{"cdiVersion":"0.5.0","kind":"nvidia.com/gpu","devices":[{"name":"0","containerEdits":{"deviceNodes":[{"path":"%s"}],"mounts":[{"hostPath":"%s","containerPath":"/x"}]}}]}`
	for name, text := range map[string]string{
		"an unknown field":     strings.Replace(spec, "hooks:", "hoks:", 1),
		"a node that is none":  fmt.Sprintf(json, "/etc/shadow", "/usr/lib/x"),
		"a way out of /dev":    fmt.Sprintf(json, "/dev/../etc/shadow", "/usr/lib/x"),
		"a mount of all":       fmt.Sprintf(json, "/dev/nvidia0", "/"),
		"a relative mount":     fmt.Sprintf(json, "/dev/nvidia0", "usr/lib"),
		"a kind that is none":  strings.Replace(spec, "nvidia.com/gpu", "gpu", 1),
		"no text":              "\xff\xfe",
		"nothing":              "",
		"too much":             strings.Repeat("# x\n", 1<<19),
		"a name that is none":  strings.Replace(spec, "name: all", "name: a/../b", 1),
		"aliases upon aliases": "a: &a [x,x]\nb: [*a,*a]",
	} {
		m := newMachine(t)
		m.nvidia(0)
		m.write("etc/cdi/nvidia.yaml", text)
		found, _ := m.look()
		if len(found.Notes) != 1 || !strings.Contains(found.Notes[0], "/etc/cdi/nvidia.yaml is not used") || found.Devices[0].CDI != "" || found.Devices[0].Missing != "" {
			t.Errorf("%s: found %+v", name, found)
		}
	}
}

func TestInstancesOfADividedGPUAreDevicesWhereTheyAreDescribed(t *testing.T) {
	m := newMachine(t)
	m.nvidia(0)
	m.line(0, "81920", "100", "[N/A]", "Enabled", "0")
	m.smi["-L"] = "GPU 0: NVIDIA A100 (UUID: " + nvidiaID(0) + ")\n" +
		"  MIG 3g.40gb     Device  0: (UUID: MIG-11111111-0000-0000-0000-000000000000)\n" +
		"  MIG 1g.10gb     Device  1: (UUID: MIG-22222222-0000-0000-0000-000000000000)\n"
	whole, _ := m.look()
	if len(whole.Devices) != 1 || !strings.Contains(whole.Devices[0].Note, "MIG is on") {
		t.Errorf("without a description found %+v", whole)
	}
	m.node("dev/nvidia-caps/nvidia-cap21")
	m.write("var/run/cdi/nvidia.yaml", strings.NewReplacer(`"0"`, `"0:0"`, "- path: /dev/dri/card1", "- path: /dev/nvidia-caps/nvidia-cap21",
		"GPU-5ad3b1d2-0000-0000-0000-000000000000", "MIG-22222222-0000-0000-0000-000000000000").Replace(spec))
	found, _ := m.look()
	if len(found.Devices) != 2 || found.Devices[0].ID != "MIG-11111111-0000-0000-0000-000000000000" || found.Devices[0].CDI != "nvidia.com/gpu=0:0" ||
		!slices.Contains(found.Devices[0].Nodes, "/dev/nvidia-caps/nvidia-cap21") || slices.Contains(found.Devices[1].Nodes, "/dev/nvidia-caps/nvidia-cap21") {
		t.Errorf("found %+v", found)
	}
}

func TestADividedGPUHasNoInstancesOfAnotherOne(t *testing.T) {
	m := newMachine(t)
	m.smi = map[string]string{}
	described := strings.Builder{}
	described.WriteString("cdiVersion: 0.5.0\nkind: nvidia.com/gpu\ndevices:\n")
	for n := range 2 {
		m.nvidia(n)
		m.line(n, "81920", "100", "[N/A]", "Enabled", "0")
		m.smi["-L"] += fmt.Sprintf("GPU %d: NVIDIA A100 (UUID: %s)\n  MIG 1g.10gb     Device  0: (UUID: MIG-%d%d%d%d)\n", n, nvidiaID(n), n, n, n, n)
		fmt.Fprintf(&described, "  - {name: \"%d:0\", containerEdits: {deviceNodes: [{path: /dev/nvidia%d}]}}\n", n, n)
	}
	m.write("etc/cdi/nvidia.yaml", described.String())
	found, _ := m.look()
	if len(found.Devices) != 2 || found.Devices[0].ID != "MIG-0000" || found.Devices[0].PCI != "0000:01:00.0" || found.Devices[1].ID != "MIG-1111" || found.Devices[1].PCI != "0000:02:00.0" {
		t.Errorf("found %+v", found)
	}
}

func TestTheRealMachineCanBeLookedThrough(t *testing.T) {
	found, _, err := device.Finder{Run: device.Programs("")}.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("this machine: %+v", found)
}

func TestAProgramThatHangsOrFloodsIsEnded(t *testing.T) {
	m := newMachine(t)
	m.write("usr/bin/nvidia-smi", "#!/bin/sh\nexec yes\n")
	if err := os.Chmod(filepath.Join(m.root, "usr/bin/nvidia-smi"), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := device.Programs(m.root)(ctx, "nvidia-smi"); err == nil {
		t.Error("a program runs though nobody waits for it")
	}
	t.Setenv("SECRET", "of Fairlead's own")
	m.write("usr/bin/nvidia-smi", "#!/bin/sh\nexec env\n")
	if out, err := device.Programs(m.root)(t.Context(), "nvidia-smi"); err != nil || strings.Contains(string(out), "SECRET") || !strings.Contains(string(out), "LC_ALL=C\n") {
		t.Errorf("its environment is\n%s%v", out, err)
	}
	m.write("usr/bin/nvidia-smi", "#!/bin/sh\nhead -c 3000000 /dev/zero\n")
	out, err := device.Programs(m.root)(t.Context(), "nvidia-smi")
	if err == nil || len(out) != 1<<20 {
		t.Errorf("%d bytes are kept of 3 million, error %v", len(out), err)
	}
	if _, err := device.Programs(m.root)(t.Context(), "rocm-smi"); !errors.Is(err, device.ErrNoProgram) {
		t.Errorf("a program that is not there: %v", err)
	}
}
