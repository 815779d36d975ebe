package rollout

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead"
)

// How explanations write numbers: as `status` does, and never with an exponent where a
// person reads digits.

// counted writes a count with its thousands set apart: "15,716".
func counted(n int) string {
	text := strconv.Itoa(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// percent writes a share: "100 %", "8.5 %", "0.07 %".
func percent(share float64) string {
	if share >= 0.0995 {
		return fmt.Sprintf("%.0f %%", 100*share)
	}
	return fmt.Sprintf("%.2g %%", 100*share)
}

// figure writes a number with three digits, or all before the point: "1520", "0.804".
func figure(x float64) string {
	if x >= 999.5 || x <= -999.5 {
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.3g", x)
}

// written writes a duration of the file as people write it there: "1h", "2h30m".
func written(d fairlead.Duration) string {
	text := d.D().String()
	for _, none := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, none) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// since writes how long ago something was.
func since(now, then time.Time) string { return Span(now.Sub(then)) }
