package cli

import (
	"fmt"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/cli/progress"
	"github.com/fairlead/fairlead/internal/figures"
	"github.com/fairlead/fairlead/workload"
)

// mostTroubles is how many instances are named for ending by themselves.
const mostTroubles = 10

// troubles says which instances ended by themselves, how often, and why the last time.
func troubles(apps []client.App) []string {
	lines, more := []string{""}, 0
	for _, a := range apps {
		for _, site := range a.Sites {
			for _, in := range site.Instances {
				switch {
				case in.State == workload.Exited, in.Restarts == 0 && in.OOMKills == 0 && !in.State.Over():
				case len(lines) > mostTroubles:
					more++
				default:
					lines = append(lines, trouble(in))
				}
			}
		}
	}
	switch {
	case len(lines) == 1:
		return nil
	case more > 0:
		lines = append(lines, fmt.Sprintf("and %d more: fairlead status --output json has all", more))
	}
	return lines
}

func trouble(in workload.Status) string {
	text := fmt.Sprintf("instance %s is %s", in.ID, in.State)
	if in.Restarts > 0 {
		text += ", " + figures.Plural(uint64(in.Restarts), "restart", "restarts")
	}
	if in.OOMKills > 0 {
		text += ", killed for memory " + figures.Plural(uint64(in.OOMKills), "time", "times")
	}
	if in.LastExit != "" {
		text += ", last: " + progress.Clean(in.LastExit)
	}
	return text
}
