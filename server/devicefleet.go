package server

import (
	"context"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/workload"
)

// startWithDevices starts an instance with the devices that it asks for, which it has
// before it starts.
func (f fleet) startWithDevices(ctx context.Context, order fairlead.Order, p rollout.Place, spec workload.Spec, secrets workload.Secrets) error {
	if spec.Resources.GPU == nil || f.devices == nil {
		return f.Runtime.Start(ctx, order, spec, secrets)
	}
	var err error
	if spec.Devices, err = f.devices.take(ctx, spec.ID, p, *spec.Resources.GPU); err != nil {
		return err
	}
	err = f.Runtime.Start(ctx, order, spec, secrets)
	f.devices.started(ctx, spec.ID, err != nil)
	return err
}

// List implements workload.Runtime. It says which instances must leave.
func (f fleet) List(ctx context.Context) ([]workload.Status, error) {
	all, err := f.Runtime.List(ctx)
	f.devices.mark(all)
	return all, err
}

// Stop implements workload.Runtime. The devices that the instance had are free then.
func (f fleet) Stop(ctx context.Context, order fairlead.Order, id string, grace time.Duration) error {
	err := f.Runtime.Stop(ctx, order, id, grace)
	if err == nil {
		f.devices.ended(ctx, id)
	}
	return err
}
