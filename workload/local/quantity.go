package local

import (
	"math"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead"
)

// limits are resources as numbers; zero means no limit.
type limits struct {
	milliCPU int64 // thousandths of a core
	memory   int64 // bytes
}

// parseLimits reads resources such as {"500m", "256Mi"}.
func parseLimits(r fairlead.Resources) (limits, error) {
	var l limits
	var ok bool
	if l.milliCPU, ok = parseCPU(r.CPU); !ok {
		return l, fairlead.Errorf(fairlead.Invalid, "", "%q is not an amount of cores", r.CPU).WithHint(`write "500m" or "2"`)
	}
	if l.memory, ok = parseMemory(r.Memory); !ok {
		return l, fairlead.Errorf(fairlead.Invalid, "", "%q is not an amount of memory", r.Memory).WithHint(`write "256Mi" or "2Gi"`)
	}
	return l, nil
}

func parseCPU(s string) (milli int64, ok bool) {
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

func parseMemory(s string) (bytes int64, ok bool) {
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
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/unit {
		return 0, false
	}
	return n * unit, true
}
