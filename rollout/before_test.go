package rollout

import (
	"testing"

	"github.com/fairlead/fairlead"
)

func TestTheReleaseBeforeIsTheOneThatWasLiveInTheLastEnvironment(t *testing.T) {
	order := []string{"dev", "qa", "production"}
	took := func(env string, from int, kind Kind) Rollout {
		return Rollout{Site: fairlead.Site{App: "triage", Env: env}, From: from, To: 7, Kind: kind}
	}
	for name, c := range map[string]struct {
		history []Rollout
		number  int
		env     string
	}{
		"nowhere yet":                     {nil, 0, ""},
		"the first":                       {[]Rollout{took("dev", 0, Forward)}, 0, "dev"},
		"on its way":                      {[]Rollout{took("dev", 6, Forward), took("qa", 4, Forward)}, 4, "qa"},
		"in production, and then in dev":  {[]Rollout{took("dev", 6, Forward), took("production", 3, Forward), took("dev", 8, Forward)}, 3, "production"},
		"twice":                           {[]Rollout{took("production", 3, Forward), took("production", 5, Forward)}, 5, "production"},
		"brought back by a rollback":      {[]Rollout{took("production", 6, Forward), took("production", 8, Back)}, 6, "production"},
		"in an environment that is gone":  {[]Rollout{took("staging", 2, Forward)}, 0, ""},
		"beside itself, which is nothing": {[]Rollout{took("dev", 6, Forward), took("qa", 7, Forward)}, 6, "dev"},
	} {
		if number, env := Before(c.history, order); number != c.number || env != c.env {
			t.Errorf("%s: %d in %q, want %d in %q", name, number, env, c.number, c.env)
		}
	}
}
