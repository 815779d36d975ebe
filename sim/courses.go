package sim

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/fairlead/fairlead/rollout"
)

// courses checks that what is shown of a rollout over time is what was recorded of it:
// the same decisions, and each request once. It checks those of some names, a quarter.
func (u *universe) courses(ctx context.Context) {
	rows, err := u.store.Rows(ctx, rollout.RolloutRow, "")
	if err != nil {
		u.promises.breaks("replayable", "%v", err)
	}
	courses := rollout.NewCourses(u.store)
	for _, row := range rows {
		if !strings.ContainsAny(row.Key[len(row.Key)-1:], "0123") {
			continue
		}
		c, err := courses.Of(ctx, row.Key)
		if err != nil || c.Differs != "" {
			u.promises.breaks("replayable", "the course of %s: %v %s", row.Key, err, c.Differs)
			continue
		}
		var counted rollout.Tally
		for _, s := range c.Samples {
			counted.Stable.Requests += s.Stable.Requests
			counted.Stable.Failed += s.Stable.Failed
			counted.Canary.Requests += s.Canary.Requests
			counted.Canary.Failed += s.Canary.Failed
		}
		if c.Rollout.Phase == rollout.Ended && counted != c.Rollout.Tally {
			u.promises.breaks("replayable", "the course of %s counts %+v, the rollout %+v", row.Key, counted, c.Rollout.Tally)
		}
		if again, _ := json.Marshal(c.Rollout); c.Rollout.Phase == rollout.Ended && string(again) != string(row.Value) {
			u.promises.breaks("replayable", "the course of %s ends in another rollout", row.Key)
		}
	}
}
