//go:build linux

package container

import (
	"context"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload/shim"
)

// Open is an error: it is not there yet.
func (Containers) Open(context.Context, shim.Plan) (shim.Body, error) {
	return nil, fairlead.Errorf(fairlead.Unsupported, "", "containers are run not yet")
}

// Clear implements shim.Kind.
func (Containers) Clear(context.Context, string) error { return nil }

// Init is an error: the first process of a container is Linux's.
func Init([]string) int { return 1 }
