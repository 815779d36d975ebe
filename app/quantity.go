package app

import (
	"math"
	"regexp"
	"strconv"

	"github.com/fairlead/fairlead"
)

const (
	cpuPattern    = `^([0-9]{1,6}m|[0-9]{1,4}(\.[0-9]{1,3})?)$`
	memoryPattern = `^[0-9]{1,15}(\.[0-9]{1,3})?(k|M|G|T|Ki|Mi|Gi|Ti)?$`
)

var (
	cpuForm    = regexp.MustCompile(cpuPattern)
	memoryForm = regexp.MustCompile(memoryPattern)
)

// ParseCPU reads an amount of CPU such as "500m", "2" or "0.5" and returns it in
// thousandths of a core, at least 1.
func ParseCPU(s string) (milli int64, err error) {
	if cpuForm.MatchString(s) {
		digits, factor := s, 1000.0
		if s[len(s)-1] == 'm' {
			digits, factor = s[:len(s)-1], 1
		}
		cores, _ := strconv.ParseFloat(digits, 64) // its form was checked
		if milli = int64(math.Round(cores * factor)); milli > 0 {
			return milli, nil
		}
	}
	return 0, fairlead.Errorf(fairlead.Invalid, "", "%q is not an amount of CPU above 0 such as \"500m\" or \"2\"", clip(s))
}

// ParseMemory reads an amount of memory such as "256Mi", "1.5Gi" or "1000000" and
// returns it in bytes, at least 1. k, M, G and T are powers of 1000; Ki, Mi, Gi
// and Ti are powers of 1024.
func ParseMemory(s string) (bytes int64, err error) {
	if match := memoryForm.FindStringSubmatch(s); match != nil {
		factor := map[string]float64{"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
			"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40}[match[2]]
		amount, _ := strconv.ParseFloat(s[:len(s)-len(match[2])], 64) // its form was checked
		if total := amount * factor; total >= 1 && total < 1<<62 {
			return int64(total), nil
		}
	}
	return 0, fairlead.Errorf(fairlead.Invalid, "", "%q is not an amount of memory such as \"256Mi\" or \"2Gi\"", clip(s))
}

func clip(s string) string {
	const most = 80
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return s
}
