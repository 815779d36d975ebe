package progress

import (
	"fmt"
	"strings"
	"time"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/workload"
)

// Still says in one line without colours what a rollout still waits for, of which a
// pipe has heard nothing new for a while, and for how long.
func Still(site client.Site, waited time.Duration) string {
	r := *site.Rollout
	line := Line(r)
	switch r.Phase {
	case "gating":
		line += openGates(r)
	case "clearing":
		if r.Waiting > 0 {
			line += ": " + Count(uint64(r.Waiting)) + " of them"
		}
	case "starting":
		line += newInstances(site)
	}
	return Clean(fmt.Sprintf("%s, for %s", line, Elapsed(waited.Truncate(time.Second))))
}

// openGates are those that were not passed yet, with what they do.
func openGates(r client.Rollout) string {
	var open []string
	for _, g := range r.Gates {
		if g.State != "passed" {
			open = append(open, g.Name+" is "+g.State)
		}
	}
	if len(open) == 0 {
		return ""
	}
	return ": " + strings.Join(open, ", ")
}

// newInstances says how the new release's instances are, and how one of them ended
// that did.
func newInstances(site client.Site) string {
	counts, restarts, kills, ended := map[workload.State]int{}, 0, 0, ""
	for _, in := range site.Instances {
		if in.Release != site.Rollout.To {
			continue
		}
		counts[in.State]++
		restarts, kills = restarts+in.Restarts, kills+in.OOMKills
		if in.Restarts > 0 && in.LastExit != "" {
			ended = "; one ended: " + in.LastExit
		}
	}
	if len(counts) == 0 {
		return ": none yet"
	}
	return ": " + states(counts, restarts, kills) + ended
}
