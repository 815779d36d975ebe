package server

import (
	"fmt"
	"os"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload/container"
)

// runsAs says in a sentence who a release's containers run as in environments, where
// its image names somebody else; nothing where they run as it says.
func runsAs(r fairlead.Release, environments ...string) string {
	if r.Content.Image == nil {
		return ""
	}
	named := container.Replaced(r.Content.Image.User, r.Content.Loosen)
	if named == "" || len(environments) == 0 {
		return ""
	}
	var users []string
	for _, env := range environments {
		site := fairlead.Site{App: r.App, Env: env}
		users = append(users, fmt.Sprintf("user %d in %s", container.UserOf(r.Content.Image.User, site.String(), r.Content.Loosen, os.Geteuid()).UID, env))
	}
	return fmt.Sprintf("the image names %s; it runs as %s", named, strings.Join(users, ", "))
}

// runsAsEverywhere is runsAs for all environments of a release.
func runsAsEverywhere(r fairlead.Release) string {
	var environments []string
	for _, env := range r.Policy {
		environments = append(environments, env.Name)
	}
	return runsAs(r, environments...)
}
