package shim

import (
	"context"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// of returns the kind for what has an image or not.
func (k Kinds) of(image *workload.Image) (Kind, error) {
	kind := k.Sandbox
	if image != nil {
		kind = k.Container
	}
	if kind == nil {
		return nil, fairlead.Errorf(fairlead.Unsupported, "", "this program was built without what it takes to run it")
	}
	return kind, nil
}

// clear removes what dead owners of bodies of all kinds left.
func (k Kinds) clear(ctx context.Context, h home) error {
	for _, kind := range []Kind{k.Sandbox, k.Container} {
		if kind == nil {
			continue
		}
		if err := kind.Clear(ctx, string(h)); err != nil {
			return err
		}
	}
	return nil
}
