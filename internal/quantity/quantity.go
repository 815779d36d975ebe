// Package quantity reads and writes amounts as App files have them: cores such as "500m"
// and "2", memory and storage such as "256Mi" and "1.5Gi". All functions are pure.
package quantity

import (
	"math"
	"strconv"
	"strings"
)

// ParseCPU reads an amount of cores such as "500m" or "2" as thousandths of a core, at
// least 1. Nothing is 0.
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

// CPU writes thousandths of a core as cores: "0.5", "2".
func CPU(milli int64) string { return strconv.FormatFloat(float64(milli)/1000, 'f', -1, 64) }

// ParseBytes reads an amount of memory or storage such as "256Mi" or "1.5Gi" as bytes,
// at least 1: k, M, G and T are powers of 1000, Ki, Mi, Gi and Ti of 1024. Nothing is 0.
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

// Bytes writes an amount of memory or storage with one digit after the point at most:
// "512Mi", "15.2Gi".
func Bytes(n int64) string {
	sign, v := "", float64(n)
	if n < 0 {
		sign, v = "-", -v
	}
	units := []string{"", "Ki", "Mi", "Gi", "Ti"}
	for v >= 1023.95 && len(units) > 1 { // what would be written as 1024 is one of the next
		v, units = v/1024, units[1:]
	}
	return sign + strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0") + units[0]
}
