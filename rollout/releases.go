package rollout

import (
	"context"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// releases are those that were read so far: they never change.
type releases struct {
	read  Releases
	known map[string]fairlead.Release // by their rows' keys
}

// get returns a release.
func (r *releases) get(ctx context.Context, app string, number int) (fairlead.Release, error) {
	key := fairlead.ReleaseKey(app, number)
	if release, ok := r.known[key]; ok {
		return release, nil
	}
	release, err := r.read(ctx, app, number)
	if err == nil {
		r.known[key] = release
	}
	return release, err
}

// of returns the releases of a site by number: those that its state names, and those
// of its instances.
func (r *releases) of(ctx context.Context, state State, here []workload.Status) (map[int]fairlead.Release, error) {
	numbers := []int{state.Live.Stable}
	if state.Rollout != nil {
		numbers = append(numbers, state.Rollout.From, state.Rollout.To)
	}
	for _, s := range here {
		numbers = append(numbers, s.Release)
	}
	all := map[int]fairlead.Release{}
	for _, number := range numbers {
		if number == 0 || all[number].Number == number {
			continue
		}
		release, err := r.get(ctx, state.Live.Site.App, number)
		if err != nil {
			return nil, err
		}
		all[number] = release
	}
	return all, nil
}
