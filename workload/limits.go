package workload

import (
	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/quantity"
)

// Limits are resources as numbers; zero means no limit.
type Limits struct {
	MilliCPU int64 // thousandths of a core
	Memory   int64 // bytes
	Shm      int64 // bytes in /dev/shm, which count as memory; never zero: ShmSize where nothing is asked for
}

// LimitsOf reads resources such as {"500m", "256Mi"}. What cannot be read is code
// invalid.
func LimitsOf(r fairlead.Resources) (Limits, error) {
	var l Limits
	var ok bool
	if l.MilliCPU, ok = quantity.ParseCPU(r.CPU); !ok {
		return l, fairlead.Errorf(fairlead.Invalid, "", "%q is not an amount of cores", r.CPU).WithHint(`write "500m" or "2"`)
	}
	if l.Memory, ok = quantity.ParseBytes(r.Memory); !ok {
		return l, fairlead.Errorf(fairlead.Invalid, "", "%q is not an amount of memory", r.Memory).WithHint(`write "256Mi" or "2Gi"`)
	}
	if l.Shm, ok = quantity.ParseBytes(r.Shm); !ok {
		return l, fairlead.Errorf(fairlead.Invalid, "", "%q is not a size of /dev/shm", r.Shm).WithHint(`write "64Mi" or "2Gi"`)
	}
	if l.Shm == 0 {
		l.Shm = ShmSize
	}
	return l, nil
}

// The limits that every instance has, whatever its file asks for.
const (
	MostProcesses = 512       // processes and threads of one instance
	MostFiles     = 65_536    // open files of one of its processes
	TempSize      = 256 << 20 // bytes in an instance's or a gate's /tmp
	BuildTempSize = 2 << 30   // bytes in a build's /tmp
	ShmSize       = 64 << 20  // bytes in its /dev/shm, unless its file asks for another size
)
