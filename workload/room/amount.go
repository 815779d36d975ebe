package room

import (
	"strconv"
	"strings"
)

// Bytes writes an amount as App files do: "512Mi", "15.2Gi".
func Bytes(n int64) string {
	sign, v := "", float64(n)
	if n < 0 {
		sign, v = "-", -v
	}
	units := []string{"", "Ki", "Mi", "Gi", "Ti"}
	for v >= 1024 && len(units) > 1 {
		v, units = v/1024, units[1:]
	}
	return sign + oneDigit(v) + units[0]
}

// coresText writes thousandths of a core as cores: "0.5", "2".
func coresText(milli int64) string {
	return strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(float64(milli)/1000, 'f', 3, 64), "0"), ".")
}

func oneDigit(v float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
}
