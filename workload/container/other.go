//go:build !linux

package container

import (
	"context"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload/shim"
)

// Open is an error: shims are Linux's.
func (Containers) Open(context.Context, shim.Plan) (shim.Body, error) {
	return nil, fairlead.Errorf(fairlead.Unsupported, "", "containers are run on Linux only")
}

// Clear implements shim.Kind.
func (Containers) Clear(context.Context, string) error { return nil }

// Sweep finds nothing.
func (Containers) Sweep(context.Context, string) error { return nil }

// Init is an error: the first process of a container is Linux's.
func Init([]string) int { return 1 }

// outlet is none: containers are run on Linux only.
type outlet struct{}

func (Outlet) open(context.Context, *Engine) (*outlet, error) {
	return nil, fairlead.Errorf(fairlead.Unsupported, "", "commands of a Dockerfile reach the network on Linux only")
}

func (*outlet) reach(podman bool) buildNetwork { return noNetwork(podman) }
func (*outlet) told() string                   { return "" }
func (*outlet) close() error                   { return nil }
