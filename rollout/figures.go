package rollout

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/figures"
)

// How explanations write what package figures does not.

// counted writes a count with its thousands set apart: "15,716".
func counted(n int) string { return figures.Count(uint64(max(0, n))) }

// quantity writes a number with three digits, or all before the point: "1,520", "0.804".
func quantity(x float64) string {
	switch {
	case x >= 999.5:
		return figures.Count(uint64(math.Round(x)))
	case x <= -999.5:
		return "-" + quantity(-x)
	}
	return fmt.Sprintf("%.3g", x)
}

// since writes how long ago something was.
func since(now, then time.Time) string { return Span(now.Sub(then)) }

// How decisions write numbers. Their texts are recorded, and replay compares them: what
// these functions write must not change.

// eText writes an e-value: beyond a million only that it is.
func eText(e float64) string {
	switch {
	case e > 1e6:
		return "over a million"
	case e >= 10:
		return fmt.Sprintf("%.0f", e)
	}
	return fmt.Sprintf("%.2g", e)
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
