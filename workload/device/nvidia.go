package device

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// nvidia adds NVIDIA's devices.
func (s *search) nvidia(ctx context.Context, f Finder, functions []function, described []described) {
	functions = slices.DeleteFunc(slices.Clone(functions), func(one function) bool { return one.vendor != NVIDIA })
	if len(functions) == 0 {
		return
	}
	told, err := askSMI(ctx, f.Run)
	s.inventory.Blind = err != nil
	switch {
	case errors.Is(err, ErrNoProgram):
		s.note("nvidia-smi is not installed: memory, utilization and errors of NVIDIA's GPUs are not known")
	case err != nil:
		s.note("nvidia-smi tells nothing: %v", err)
	}
	for _, one := range functions {
		s.nvidiaOne(ctx, f, one, told[one.address], described)
	}
}

// shown is what the driver shows of a GPU in /proc.
type shown struct {
	model, uuid string
	minor       int // -1 for not known
}

func (s *search) shown(address string) shown {
	is := shown{minor: -1}
	data, err := s.read("proc/driver/nvidia/gpus/"+address+"/information", mostValue)
	if err != nil {
		return is
	}
	for line := range strings.Lines(string(data)) {
		key, text, _ := strings.Cut(line, ":")
		text = plain(text)
		switch strings.TrimSpace(key) {
		case "Model":
			is.model = text
		case "GPU UUID":
			if gpuID.MatchString(text) { // it has question marks until the GPU is used first
				is.uuid = text
			}
		case "Device Minor":
			if n, err := strconv.Atoi(text); err == nil && n >= 0 && n < 1024 {
				is.minor = n
			}
		}
	}
	return is
}

var gpuID = regexp.MustCompile(`^GPU-[0-9a-zA-Z-]{4,60}$`)

// nvidiaOne adds one GPU, or the parts of it that its driver divided it into and a
// description names.
func (s *search) nvidiaOne(ctx context.Context, f Finder, one function, told smi, described []described) {
	is := s.shown(one.address)
	if !gpuID.MatchString(told.uuid) {
		told.uuid = ""
	}
	d := Device{
		ID: cmp.Or(is.uuid, told.uuid, one.address), PCI: one.address, Vendor: NVIDIA,
		Name: cmp.Or(told.name, is.model, "GPU "+one.id), Memory: max(0, told.total),
	}
	r := Reading{Used: -1, Busy: -1, Errors: -1}
	if told.total >= 0 && told.used > told.total {
		told.used = -1 // it cannot be
	}
	if is.uuid != "" && told.uuid != "" && is.uuid != told.uuid {
		s.note("nvidia-smi calls %s %s, and its driver %s, which counts", one.address, told.uuid, is.uuid)
	}
	if told != (smi{}) {
		r = Reading{Used: told.used, Busy: told.busy, Errors: told.errors, Fault: told.fault}
	}
	s.nvidiaNodes(&d, one, is)
	if told.mig {
		if parts := s.divided(ctx, f, d, told.index, described); len(parts) > 0 {
			for _, part := range parts {
				s.add(part, Reading{Used: -1, Busy: -1, Errors: r.Errors, Fault: r.Fault})
			}
			return
		}
		d.Note = "MIG is on, and no CDI description names its instances: it is one device here, of which programs see the first instance only"
	}
	if d.Missing == "" {
		s.describe(&d, described)
	}
	s.add(d, r)
}

// nvidiaNodes finds the files of a GPU: its own, and those that all of them share.
func (s *search) nvidiaNodes(d *Device, one function, is shown) {
	if d.Missing = one.undriven("nvidia"); d.Missing != "" {
		return
	}
	if is.minor < 0 {
		d.Missing = "its driver does not tell which of /dev/nvidia0, /dev/nvidia1 and so on it is"
		return
	}
	own := fmt.Sprintf("/dev/nvidia%d", is.minor)
	for _, node := range []string{own, "/dev/nvidiactl"} {
		if !s.isNode(node) {
			d.Missing = "there is no device file " + node
			return
		}
		d.Nodes = append(d.Nodes, node)
	}
	for _, node := range []string{"/dev/nvidia-uvm", "/dev/nvidia-uvm-tools"} {
		if s.isNode(node) {
			d.Nodes = append(d.Nodes, node)
		}
	}
}

var migLine = regexp.MustCompile(`^\s+MIG (\S+)\s+Device\s+(\d+): \(UUID: (MIG-[0-9a-zA-Z/-]{4,80})\)`)

// divided returns the MIG instances of a GPU: those that nvidia-smi -L lists below it
// and that a description names, by "GPU:INSTANCE" or by their own id.
func (s *search) divided(ctx context.Context, f Finder, gpu Device, index int, described []described) []Device {
	out, err := f.Run(ctx, "nvidia-smi", "-L")
	if err != nil {
		s.note("nvidia-smi -L tells nothing of the instances of %s: %v", gpu.ID, err)
		return nil
	}
	var parts []Device
	within := false
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "GPU ") {
			within = strings.Contains(line, "(UUID: "+gpu.ID+")")
			continue
		}
		found := migLine.FindStringSubmatch(line)
		if !within || found == nil || len(parts) == mostDevices {
			continue
		}
		for _, one := range described {
			if one.kind == "nvidia.com/gpu" && (one.name == found[3] || one.name == fmt.Sprintf("%d:%s", index, found[2])) {
				part := gpu
				part.ID, part.Name, part.Memory = found[3], gpu.Name+" MIG "+plain(found[1]), 0
				part.Nodes = slices.Clone(gpu.Nodes)
				part.Note = "an instance of " + gpu.ID
				s.apply(&part, one)
				parts = append(parts, part)
				break
			}
		}
	}
	return parts
}
