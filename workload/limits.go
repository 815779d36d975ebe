package workload

import (
	"math"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead"
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
	if l.MilliCPU, ok = ParseCPU(r.CPU); !ok {
		return l, fairlead.Errorf(fairlead.Invalid, "", "%q is not an amount of cores", r.CPU).WithHint(`write "500m" or "2"`)
	}
	if l.Memory, ok = ParseBytes(r.Memory); !ok {
		return l, fairlead.Errorf(fairlead.Invalid, "", "%q is not an amount of memory", r.Memory).WithHint(`write "256Mi" or "2Gi"`)
	}
	return l, nil
}

// ParseCPU reads an amount of cores such as "500m" or "2" as thousandths of a core.
// Nothing is 0.
func ParseCPU(s string) (milli int64, ok bool) {
	if s == "" {
		return 0, true
	}
	if number, isMilli := strings.CutSuffix(s, "m"); isMilli {
		n, err := strconv.ParseInt(number, 10, 32)
		return n, err == nil && n > 0
	}
	cores, err := strconv.ParseFloat(s, 64)
	if err != nil || !(cores > 0 && cores <= 1e6) {
		return 0, false
	}
	return max(1, int64(math.Round(cores*1000))), true
}

// ParseBytes reads an amount of memory or storage such as "256Mi" or "1.5Gi". Nothing
// is 0.
func ParseBytes(s string) (bytes int64, ok bool) {
	if s == "" {
		return 0, true
	}
	unit := int64(1)
	for suffix, size := range map[string]int64{"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12} {
		if number, has := strings.CutSuffix(s, suffix); has {
			s, unit = number, size
			break
		}
	}
	if whole, err := strconv.ParseInt(s, 10, 64); err == nil {
		return whole * unit, whole > 0 && whole <= math.MaxInt64/unit
	}
	n, err := strconv.ParseFloat(s, 64)
	bytes = int64(n * float64(unit))
	return bytes, err == nil && strings.Trim(s, "0123456789.") == "" && n*float64(unit) < 1<<62 && bytes > 0
}

// The limits that every instance has, whatever its file asks for.
const (
	MostProcesses = 512       // processes and threads of one instance
	MostFiles     = 65_536    // open files of one of its processes
	TempSize      = 256 << 20 // bytes in an instance's or a gate's /tmp
	BuildTempSize = 2 << 30   // bytes in a build's /tmp
	ShmSize       = 64 << 20  // bytes in its /dev/shm
)
