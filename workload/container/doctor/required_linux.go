package doctor

import (
	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload/container"
)

// required reports whether sandbox: required cannot do without a protection. Limits
// that nobody asked for never count.
func required(name string) bool {
	return container.Required(name, fairlead.Resources{}, fairlead.Loosen{})
}
