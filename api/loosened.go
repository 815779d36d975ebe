package api

import (
	"context"
	"fmt"
	"strings"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/internal/figures"
	"github.com/fairlead/fairlead/rollout"
)

// loosened returns the releases of a site that have traffic, or are on their way to
// it, and whose containers may do more than the default.
func (s *server) loosened(ctx context.Context, state rollout.State) ([]client.Loosened, error) {
	numbers := []int{state.Live.Stable}
	if r := state.Rollout; r != nil && r.Phase != rollout.Ended && r.To != state.Live.Stable {
		numbers = append(numbers, r.To)
	}
	var all []client.Loosened
	for _, number := range numbers {
		if number == 0 {
			continue
		}
		r, err := s.Releases.Get(ctx, state.Live.Site.App, number)
		if err != nil {
			return nil, err
		}
		if words := r.Content.Loosen.Words(); len(words) > 0 {
			all = append(all, client.Loosened{Release: number, Allows: words})
		}
	}
	return all, nil
}

// warnings say in sentences what of a site asks for attention beside its rollout.
func warnings(site client.Site) []string {
	var all []string
	for _, l := range site.Loosened {
		all = append(all, fmt.Sprintf("The containers of %s@%d are loosened: %s.", site.App, l.Release, strings.Join(l.Allows, ", ")))
	}
	for _, v := range site.Over {
		all = append(all, fmt.Sprintf("Volume %s holds %s, more than its size of %s. Nothing stops it: enlarge spec.volumes, or let the app write less.",
			v.Name, figures.Bytes(v.Used), figures.Bytes(v.Size)))
	}
	return all
}
