package server

import (
	"github.com/fairlead/fairlead/workload/container"
	"github.com/fairlead/fairlead/workload/local"
	"github.com/fairlead/fairlead/workload/shim"
)

// Kinds are the kinds of bodies that instances of this program have, in the control
// plane as in a shim.
func Kinds() shim.Kinds {
	return shim.Kinds{Sandbox: local.Sandbox{}, Container: container.Containers{}}
}
