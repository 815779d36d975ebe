package workload

import (
	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/quantity"
)

// Limits are resources as numbers; zero means no limit.
type Limits struct {
	MilliCPU int64 // thousandths of a core
	Memory   int64 // bytes
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
	return l, nil
}

// The limits that every instance has, whatever its file asks for.
const (
	MostProcesses = 512       // processes and threads of one instance
	MostFiles     = 65_536    // open files of one of its processes
	TempSize      = 256 << 20 // bytes in an instance's or a gate's /tmp
	BuildTempSize = 2 << 30   // bytes in a build's /tmp
	ShmSize       = 64 << 20  // bytes in its /dev/shm
)
