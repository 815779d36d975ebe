package device_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/fairlead/fairlead/workload/device"
)

// watched follows the looks at a machine.
type watched struct {
	m     *machine
	watch device.Watch
	held  []string
	last  device.Inventory
}

func (w *watched) look() []device.Turn {
	w.m.t.Helper()
	found, readings := w.m.look()
	w.last = found.After(w.last)
	return w.watch.Take(w.last, readings, w.held)
}

func (w *watched) want(why string, want ...device.Turn) {
	w.m.t.Helper()
	if got := w.look(); !slices.Equal(got, want) {
		w.m.t.Errorf("%s: turns %+v, want %+v", why, got, want)
	}
}

func TestADeviceThatIsLostFailsAndIsWellAgain(t *testing.T) {
	w := &watched{m: newMachine(t)}
	w.m.nvidia(0)
	w.m.nvidia(1)
	w.want("all is well")
	w.m.line(1, "[GPU is lost]", "[GPU is lost]", "[GPU is lost]", "[GPU is lost]", "[GPU is lost]")
	w.want("one look may err")
	if !w.watch.Doubtful() {
		t.Error("a bad look leaves no doubt")
	}
	w.want("the second does not", device.Turn{Device: nvidiaID(1), Failed: true, Why: "GPU is lost"})
	w.want("it fails once")
	if w.last.Devices[1].Memory != 23034<<20 {
		t.Errorf("its memory is forgotten: %+v", w.last.Devices[1])
	}
	w.m.line(1, "23034", "0", "0", "Disabled", "0")
	w.want("one good look")
	w.want("two good looks")
	w.want("three", device.Turn{Device: nvidiaID(1)})
}

func TestADeviceWhoseFilesAreGoneFails(t *testing.T) {
	for name, c := range map[string]struct {
		remove, why string
	}{
		"its node": {"dev/nvidia0", "there is no device file /dev/nvidia0"},
		"all":      {"sys/bus/pci/devices/0000:01:00.0", "the machine does not show it any more"},
	} {
		t.Run(name, func(t *testing.T) {
			w := &watched{m: newMachine(t)}
			w.m.nvidia(0)
			w.want("all is well")
			w.m.remove(c.remove)
			w.want("one look may err")
			w.want("the second does not", device.Turn{Device: nvidiaID(0), Failed: true, Why: c.why})
		})
	}
}

func TestErrorsOfMemoryFailADeviceAtOnce(t *testing.T) {
	w := &watched{m: newMachine(t)}
	w.m.nvidia(0)
	at := w.m.amd(0)
	w.m.line(0, "23034", "0", "0", "Disabled", "7")
	w.want("errors of the past say nothing")
	w.m.line(0, "23034", "0", "0", "Disabled", "9")
	w.want("new ones do", device.Turn{Device: nvidiaID(0), Failed: true, Why: "2 errors of its memory could not be corrected"})
	w.m.write(at+"/ras/umc_err_count", "ue: 1\nce: 9\n")
	w.want("of AMD's too", device.Turn{Device: "GPU-b6d5a2a4e7c1f3b0", Failed: true, Why: "1 error of its memory could not be corrected"})
}

func TestAProgramThatTellsNothingFailsNoDevice(t *testing.T) {
	w := &watched{m: newMachine(t)}
	w.m.nvidia(0)
	w.want("all is well")
	w.m.smi, w.m.err = map[string]string{"--query-gpu": "Failed to initialize NVML: Driver/library version mismatch"}, errors.New("exit status 18")
	for range 3 {
		w.want("nvidia-smi fails")
	}
	if d := w.last.Devices[0]; d.Memory != 23034<<20 || d.ID != nvidiaID(0) || !w.last.Blind {
		t.Errorf("then it is known as %+v", d)
	}
	w.m.remove("dev/nvidia0")
	w.want("its node goes")
	w.want("for good", device.Turn{Device: nvidiaID(0), Failed: true, Why: "there is no device file /dev/nvidia0"})
}

func TestAnEarlierLookOnlyAddsWhatTheNewOneDoesNotKnow(t *testing.T) {
	known, exchanged, undriven := gpu("GPU-a", 24*gib), gpu("GPU-b", 80*gib), gpu("0000:01:00.0", 0)
	for _, d := range []*device.Device{&known, &exchanged, &undriven} {
		d.PCI = "0000:01:00.0"
	}
	undriven.Missing = "no driver is loaded for it"
	lost, gone := known, known
	lost.Memory, lost.Missing = 0, "GPU is lost"
	gone.Missing = undriven.Missing
	remembered := lost
	remembered.Memory = known.Memory
	parts := []device.Device{gpu("MIG-1", gib), gpu("MIG-2", gib)}
	for i := range parts {
		parts[i].PCI = known.PCI
	}
	amd, amdBare := gpu("GPU-c", gib), gpu("0000:01:00.0", 0)
	for _, d := range []*device.Device{&amd, &amdBare} {
		d.PCI, d.Vendor = "0000:01:00.0", device.AMD
	}
	for name, c := range map[string]struct {
		before, now []device.Device
		blind       bool
		want        []device.Device
	}{
		"one that was exchanged is the new one":               {[]device.Device{known}, []device.Device{exchanged}, false, []device.Device{exchanged}},
		"one that is whole again has no parts":                {parts, []device.Device{known}, false, []device.Device{known}},
		"one that lost its driver is not what it was":         {[]device.Device{known}, []device.Device{undriven}, false, []device.Device{undriven}},
		"of one that is lost the memory is known":             {[]device.Device{known}, []device.Device{lost}, false, []device.Device{remembered}},
		"one of which nothing is told is what it was":         {[]device.Device{known}, []device.Device{undriven}, true, []device.Device{gone}},
		"so are its parts":                                    {parts, []device.Device{gpuAt(known.PCI)}, true, parts},
		"what only NVIDIA's program knows is of NVIDIA's own": {[]device.Device{amd}, []device.Device{amdBare}, true, []device.Device{amdBare}},
		"one that comes is new":                               {nil, []device.Device{undriven}, true, []device.Device{undriven}},
	} {
		after := device.Inventory{Devices: c.now, Blind: c.blind}.After(has(c.before...))
		if !reflect.DeepEqual(after.Devices, c.want) {
			t.Errorf("%s: got %+v, want %+v", name, after.Devices, c.want)
		}
	}
}

// gpuAt is one of NVIDIA's of which PCI alone is known.
func gpuAt(pci string) device.Device {
	d := gpu(pci, 0)
	d.PCI = pci
	return d
}

func TestWhatAnInstanceHoldsAndIsNotThereFails(t *testing.T) {
	w := &watched{m: newMachine(t), held: []string{"GPU-gone"}}
	w.m.amd(0)
	w.want("one look may err")
	w.want("the second does not", device.Turn{Device: "GPU-gone", Failed: true, Why: "the machine does not show it any more"})
}

func TestAGoodLookTakesTheDoubtAway(t *testing.T) {
	w := &watched{m: newMachine(t)}
	w.m.nvidia(0)
	for i, fault := range []string{"23034", "[GPU is lost]", "23034", "[GPU is lost]"} {
		w.m.line(0, fault, "0", "0", "Disabled", "0")
		w.want(fmt.Sprint("look ", i))
	}
}

func TestWhatIsSeenWithoutItsIDIsNotGone(t *testing.T) {
	w := &watched{m: newMachine(t), held: []string{nvidiaID(0)}}
	w.m.nvidia(0)
	w.m.smi, w.m.err = map[string]string{"--query-gpu": "Failed to initialize NVML"}, errors.New("exit status 18")
	w.m.write("proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: NVIDIA L4\nGPU UUID: GPU-????????-????-????-????-????????????\nDevice Minor: 0\n")
	for i := range 3 {
		w.want(fmt.Sprint("look ", i))
	}
	if id := w.last.Devices[0].ID; id != "0000:01:00.0" {
		t.Errorf("it is called %s", id)
	}
}

func TestADeviceThatNeverWorkedDoesNotFail(t *testing.T) {
	w := &watched{m: newMachine(t)}
	w.m.pci("0000:01:00.0", "0x10de", "0x27b8", "0x030000", "nouveau")
	for i := range 3 {
		w.want(fmt.Sprint("look ", i))
	}
}

func TestAFailureIsKnownOverARestart(t *testing.T) {
	w := &watched{m: newMachine(t)}
	w.m.nvidia(0)
	w.watch = device.NewWatch([]string{nvidiaID(0)})
	w.want("one good look")
	w.want("two")
	w.want("three", device.Turn{Device: nvidiaID(0)})
}
