package progress

import (
	"fmt"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/figures"
)

// Waiting says in one line how far something that takes long is, at most width
// columns wide; width 0 is as wide as it must be.
func Waiting(p fairlead.Progress, width int) string {
	var parts []string
	if p.Percent >= 1 {
		parts = append(parts, fmt.Sprintf("%.0f %%", p.Percent))
	}
	if p.Total > 0 {
		parts = append(parts, figures.Bytes(p.Done)+" of "+figures.Bytes(p.Total))
	}
	if p.Detail != "" {
		parts = append(parts, p.Detail)
	}
	said := p.Doing
	if len(parts) > 0 {
		said += ": " + strings.Join(parts, ", ")
	}
	text := []rune(Clean(said))
	if width > 3 && len(text) >= width {
		text = append(text[:width-4], '.', '.', '.')
	}
	return string(text)
}
