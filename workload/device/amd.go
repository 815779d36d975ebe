package device

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
)

// amd adds AMD's devices.
func (s *search) amd(functions []function, described []described) {
	for _, one := range functions {
		if one.vendor == AMD {
			s.amdOne(one, described)
		}
	}
}

var renderNode = regexp.MustCompile(`^renderD[0-9]{1,4}$`)

// amdOne adds one GPU: its driver amdgpu tells all in the directory of its PCI
// function, which /sys/class/drm/cardN/device names too.
func (s *search) amdOne(one function, described []described) {
	at := pciDevices + "/" + one.address
	d := Device{ID: one.address, PCI: one.address, Vendor: AMD, Missing: one.undriven("amdgpu")}
	if id := strings.ToLower(s.text(at, "unique_id")); uniqueID.MatchString(id) && strings.Trim(id, "0") != "" {
		d.ID = "GPU-" + id
	}
	if total, ok := s.amount(at, "mem_info_vram_total"); ok {
		d.Memory = total
	}
	render := ""
	names, err := s.list(at + "/drm")
	if err != nil {
		s.note("read the nodes of %s: %v", one.address, err)
	}
	for _, name := range names {
		if renderNode.MatchString(name) {
			render = name
		}
	}
	d.Name = cmp.Or(s.text(at, "product_name"), s.topologyName(render), "GPU "+one.id)
	r := Reading{Used: -1, Busy: -1, Errors: -1}
	if d.Missing == "" {
		s.amdNodes(&d, render)
	}
	if d.Missing == "" {
		s.describe(&d, described)
		r = s.amdReading(at)
	}
	s.add(d, r)
}

var uniqueID = regexp.MustCompile(`^[0-9a-f]{1,16}$`)

func (s *search) amdNodes(d *Device, render string) {
	if render == "" {
		d.Missing = "its driver made no render node for it"
		return
	}
	for _, node := range []string{"/dev/dri/" + render, "/dev/kfd"} {
		if !s.isNode(node) {
			d.Missing = "there is no device file " + node
			return
		}
		d.Nodes = append(d.Nodes, node)
	}
}

// amdReading reads how a GPU is. The count of errors is that of the memory's own
// controller (RAS), where the GPU has one.
func (s *search) amdReading(at string) Reading {
	r := Reading{Used: -1, Busy: -1, Errors: -1}
	if used, ok := s.amount(at, "mem_info_vram_used"); ok {
		r.Used = used
	}
	if busy, ok := s.amount(at, "gpu_busy_percent"); ok && busy <= 100 {
		r.Busy = float64(busy) / 100
	}
	fields := strings.Fields(s.text(at, "ras/umc_err_count"))
	for i := 0; i+1 < len(fields); i++ {
		if n, err := strconv.ParseInt(fields[i+1], 10, 64); fields[i] == "ue:" && err == nil && n >= 0 {
			r.Errors = n
		}
	}
	return r
}

// topologyName is the name that the compute driver has for the GPU with a render node,
// such as "navi31"; "" where it knows none.
func (s *search) topologyName(render string) string {
	const nodes = "sys/class/kfd/kfd/topology/nodes"
	names, err := s.list(nodes)
	if err != nil || render == "" {
		return ""
	}
	for _, node := range names {
		data, err := s.read(nodes+"/"+node+"/properties", mostValue)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			if key, minor, _ := strings.Cut(strings.TrimSpace(line), " "); key == "drm_render_minor" && "renderD"+minor == render {
				if name := s.text(nodes, node, "name"); name != "" {
					return "AMD " + name
				}
			}
		}
	}
	return ""
}
