package device

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Finder finds devices. Its fields are set once; its methods are safe for concurrent
// use.
type Finder struct {
	Root string // directory below which the machine's files are; "" for /
	Run  Runner // runs the vendor's programs; nil: none of them is asked
}

// Reading is how one device is at a moment. What is not known is -1.
type Reading struct {
	Device string  `json:"device"` // its ID
	Used   int64   `json:"used"`   // bytes of its memory
	Busy   float64 `json:"busy"`   // share of the last moments in which it worked, 0 to 1
	Errors int64   `json:"errors"` // of memory, that could not be corrected, since its driver was loaded
	Fault  string  `json:"fault"`  // what its driver says is wrong with it; "" for nothing
}

// Look finds the machine's devices and reads how they are, a reading for each. What
// cannot be read is a note of the inventory, and the device is known by what is left.
// An error means that nothing could be looked at.
//
// A device is known by its PCI function in sysfs (class display controller or
// processing accelerator), by what its driver shows of it in /proc and sysfs, by what
// nvidia-smi tells, and by the descriptions that a container toolkit wrote (CDI). Only
// the first must be there. Nothing is linked, and no driver is loaded.
func (f Finder) Look(ctx context.Context) (Inventory, []Reading, error) {
	t, err := openTree(f.Root)
	if err != nil {
		return Inventory{}, nil, err
	}
	defer t.close()
	s := &search{tree: t, inventory: Inventory{Root: f.Root}}
	functions := s.functions()
	var described []described
	if len(functions) > 0 {
		described = s.specs()
	}
	s.nvidia(ctx, f, functions, described)
	s.amd(functions, described)
	if err := ctx.Err(); err != nil {
		return Inventory{}, nil, err
	}
	sorted(s.inventory.Devices)
	return s.inventory, s.readings, nil
}

// search is one look.
type search struct {
	tree
	inventory Inventory
	readings  []Reading
}

func (s *search) note(format string, args ...any) {
	if len(s.inventory.Notes) < 20 {
		s.inventory.Notes = append(s.inventory.Notes, plain(fmt.Sprintf(format, args...)))
	}
}

func (s *search) add(d Device, r Reading) {
	if _, known := s.inventory.Find(d.ID); known {
		s.note("%s has the id %s of another device, and is left out", d.PCI, d.ID)
		return
	}
	r.Device = d.ID
	s.inventory.Devices, s.readings = append(s.inventory.Devices, d), append(s.readings, r)
}

// function is a GPU as PCI shows it.
type function struct {
	address, vendor, id string // such as "0000:03:00.0", NVIDIA, "10de:27b8"
	driver              string // "" for none
}

const pciDevices = "sys/bus/pci/devices"

var pciAddress = regexp.MustCompile(`^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$`)

// functions are the GPUs of both vendors on PCI, in the order of their addresses.
func (s *search) functions() []function {
	names, err := s.list(pciDevices)
	if err != nil {
		s.note("read the PCI devices: %v", err)
	}
	var found []function
	for _, name := range names {
		if !pciAddress.MatchString(name) {
			continue
		}
		at := pciDevices + "/" + name
		vendor := map[string]string{"0x10de": NVIDIA, "0x1002": AMD}[s.text(at, "vendor")]
		if vendor == "" || !isGPU(s.text(at, "class")) {
			continue
		}
		if len(found) == mostDevices {
			s.note("there are more than %d GPUs; the rest is left out", mostDevices)
			break
		}
		id := strings.TrimPrefix(s.text(at, "vendor"), "0x") + ":" + strings.TrimPrefix(s.text(at, "device"), "0x")
		found = append(found, function{address: name, vendor: vendor, id: id, driver: s.linkName(at + "/driver")})
	}
	slices.SortFunc(found, func(a, b function) int { return cmp.Compare(a.address, b.address) })
	return found
}

// isGPU reports whether a PCI class is a display controller's (03) that computes, or a
// processing accelerator's (12).
func isGPU(class string) bool {
	return slices.ContainsFunc([]string{"0x0300", "0x0302", "0x0380", "0x1200"}, func(p string) bool {
		return len(class) == 8 && strings.HasPrefix(class, p)
	})
}

// undriven says why a function without its vendor's driver cannot be used, or "".
func (f function) undriven(want string) string {
	switch f.driver {
	case want:
		return ""
	case "":
		return "no driver is loaded for it"
	}
	return fmt.Sprintf("it has the driver %s instead of %s", plain(f.driver), want)
}
