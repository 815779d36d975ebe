package cli

import (
	"fmt"
	"io"
	"sort"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/cli/progress"
)

func (inv *invocation) releases() *cobra.Command {
	var log bool
	cmd := &cobra.Command{
		Use:   "releases APP",
		Short: "An app's releases, newest first",
		Long: `Releases lists an app's releases, newest first: digest, origin, where each takes
traffic, and how its newest rollout ended in each environment.

With --build-log it prints what the build of one release, APP@N, has said: of its
Dockerfile, or of its commit.`,
		Example: "  fairlead releases triage\n  fairlead releases triage --output json\n  fairlead releases triage@7 --build-log",
		Args:    exactly("APP"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if log {
				return inv.buildLog(cmd.Context(), args[0])
			}
			c, err := inv.client()
			if err != nil {
				return err
			}
			releases, err := c.Releases(cmd.Context(), args[0])
			if err != nil {
				return during("releases "+args[0], err)
			}
			if releases == nil {
				releases = []client.Release{}
			}
			return inv.show(releases, func(w io.Writer) error { return writeReleases(w, releases) })
		},
		ValidArgsFunction: inv.completeApps,
	}
	cmd.Flags().BoolVar(&log, "build-log", false, "print the log of the build of APP@N")
	return cmd
}

func writeReleases(w io.Writer, releases []client.Release) error {
	rows := [][]string{{"RELEASE", "DIGEST", "CREATED", "BY", "COMMIT", "LIVE IN", "HISTORY"}}
	for _, r := range releases {
		commit := "-"
		if r.Commit != nil {
			commit = fmt.Sprintf("%.10s %.40s", r.Commit.Hash, r.Commit.Subject)
		}
		rows = append(rows, []string{
			fmt.Sprintf("%s@%d", r.App, r.Number), r.Digest.Short(), r.Created.Local().Format(time.DateTime),
			r.By, commit, orDash(strings.Join(r.Live, ", ")), orDash(history(r.History)),
		})
	}
	return table(w, rows)
}

func history(outcomes map[string]string) string {
	var parts []string
	for env, outcome := range outcomes {
		if outcome == "" {
			outcome = "moving"
		}
		parts = append(parts, env+": "+progress.Words(outcome))
	}
	sort.Strings(parts)
	return strings.Join(parts, ", ")
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
