package device

import (
	"fmt"
	"strings"

	"github.com/fairlead/fairlead/internal/figures"
)

// Text says what a part is, such as "16 GiB of NVIDIA L4 GPU-5ad...".
func (p Part) Text(name string) string {
	device := strings.TrimSpace(name + " " + p.Device)
	switch {
	case p.Whole:
		return device
	case p.Memory > 0:
		return figures.Bytes(p.Memory) + " of " + device
	}
	return fmt.Sprintf("%.3g %% of %s", float64(p.Share), device)
}
