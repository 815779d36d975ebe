package server

import (
	"fmt"
	"os"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload/container"
)

func TestWhoAContainerRunsAsIsSaidWhereItsImageNamesAnother(t *testing.T) {
	r := fairlead.Release{
		App: "triage", Content: fairlead.Content{Image: &fairlead.Image{User: "root"}},
		Policy: []fairlead.Environment{{Name: "dev"}, {Name: "production"}},
	}
	user := func(env string) int {
		return container.UserOf("root", "triage/"+env, nil, os.Geteuid()).UID
	}
	if got, want := runsAs(r, "dev"), fmt.Sprintf("the image names root; it runs as user %d in dev", user("dev")); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := runsAsEverywhere(r), fmt.Sprintf("the image names root; it runs as user %d in dev, user %d in production", user("dev"), user("production")); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for what, silent := range map[string]fairlead.Content{
		"no image": {}, "an image with a number": {Image: &fairlead.Image{User: "1000"}},
		"root that was asked for": {Image: &fairlead.Image{}, Loosen: &fairlead.Loosen{Root: true}},
	} {
		r.Content = silent
		if got := runsAsEverywhere(r); got != "" {
			t.Errorf("%s: %q", what, got)
		}
	}
}
