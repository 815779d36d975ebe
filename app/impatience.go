package app

import (
	"fmt"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/figures"
)

// Impatience says, with the arithmetic, that requests to an environment may be told 503
// while a release there takes the place of another (strategy replace), since they wait
// for at most spec.timeout; nothing where they cannot, as far as is known. start is how
// long the app's instances took to be ready last time, 0 where none ran. spec is
// completed.
//
// A request waits until the old release's calls have ended and the new release is
// ready. Both take their longest: it is what may happen, not what must.
func Impatience(spec fairlead.AppSpec, env fairlead.Environment, start time.Duration) string {
	ending, named := spec.Drain.D(), "spec.drain"
	if spec.RunLimit > spec.Drain {
		ending, named = spec.RunLimit.D(), "spec.runLimit"
	}
	most := spec.Timeout.D()
	if env.Strategy.Type != fairlead.Replace || most > ending+start {
		return ""
	}
	waits, sum := "", ending+start.Truncate(time.Second)
	if start > start.Truncate(time.Second) {
		sum += time.Second
	}
	if start <= 0 {
		waits = fmt.Sprintf("%s (%s) and the start of the app", figures.Exactly(ending), named)
	} else {
		waits = fmt.Sprintf("%s (%s of %s, %s of start as last time)", figures.Exactly(sum), figures.Exactly(ending), named, figures.Exactly(sum-ending))
	}
	return fmt.Sprintf("in %s a request may wait %s while a release replaces another, but after %s (spec.timeout) it is told 503: make timeout longer, or %s shorter",
		env.Name, waits, figures.Exactly(most), named)
}
