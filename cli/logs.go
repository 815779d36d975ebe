package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/cli/progress"
)

func (inv *invocation) logs() *cobra.Command {
	var env string
	var q client.LogQuery
	cmd := &cobra.Command{
		Use:   "logs [APP]",
		Short: "What an app's instances write",
		Long: `Logs prints what an app's instances wrote, in sandboxes as in containers: time,
instance, stream and text, in the order of time; with --tail 0 and with -f as each
instance gives it. With -f it goes on, also with instances that come later. Without
APP it prints those of all apps. On a terminal control characters are left out.
With --output json each line is an object with its app, environment, release,
instance, stream and time, as log shippers want it.` + showEnvHelp,
		Example: "  fairlead logs triage --tail 20\n  fairlead logs triage -f --env production\n  fairlead logs -f --tail 0 --output json",
		Args:    atMostOne("APP"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if q.Tail < 0 {
				return usagef("", "--tail %d is not a number of lines", q.Tail)
			}
			app := ""
			if len(args) == 1 {
				app = args[0]
			} else if env != "" {
				return usagef("fairlead logs APP --env "+env, "--env is of an app")
			}
			return inv.runLogs(cmd.Context(), app, env, q)
		},
		ValidArgsFunction: inv.completeApps,
	}
	cmd.Flags().StringVar(&env, "env", "", "`environment` (default: the only or last one)")
	cmd.Flags().StringVar(&q.Instance, "instance", "", "only the instance with this `id`")
	cmd.Flags().IntVar(&q.Release, "release", 0, "only instances of the release with this `number`")
	cmd.Flags().IntVar(&q.Tail, "tail", 100, "newest `lines` of each instance to begin with, 0 for all")
	cmd.Flags().BoolVarP(&q.Follow, "follow", "f", false, "go on as lines come")
	return cmd
}

func (inv *invocation) runLogs(ctx context.Context, app, env string, q client.LogQuery) (err error) {
	c, err := inv.client()
	if err != nil {
		return err
	}
	op := "logs"
	if app != "" {
		if q.Site, err = inv.site(ctx, c, "logs", app, env); err != nil {
			return err
		}
		op += " " + q.Site.String()
	}
	if !q.Follow && q.Tail > 0 {
		return during(op, inv.orderedLogs(ctx, c, q))
	}
	err = c.LogLines(ctx, q, inv.logWriter())
	if q.Follow && errors.Is(err, context.Canceled) {
		return nil // that is how one ends a follow
	}
	return during(op, err)
}

// orderedLogs shows the lines of all instances in the order of their time. The
// server gives one instance after the other.
func (inv *invocation) orderedLogs(ctx context.Context, c *client.Client, q client.LogQuery) error {
	var all []client.LogLine
	err := c.LogLines(ctx, q, func(l client.LogLine) error {
		all = append(all, l)
		return nil
	})
	if err != nil {
		return err
	}
	inOrder(all)
	show := inv.logWriter()
	for _, line := range all {
		if err := show(line); err != nil {
			return err
		}
	}
	return nil
}

// inOrder sorts lines by their time; what one instance wrote stays as it wrote it.
func inOrder(lines []client.LogLine) {
	slices.SortStableFunc(lines, func(a, b client.LogLine) int { return written(a).Compare(written(b)) })
}

// logWriter returns what writes a line: as JSON, or as aligned text, without
// control characters on a terminal.
func (inv *invocation) logWriter() func(client.LogLine) error {
	if inv.json() {
		return func(l client.LogLine) error { return inv.line(l) }
	}
	terminal := progress.OpenTerminal(inv.screen, inv.std.Getenv, false) != nil
	return func(l client.LogLine) error {
		text := fmt.Sprintf("%-24s  %s  %-8s  %s", moment(l), l.Instance, l.Stream, l.Text)
		if terminal {
			text = progress.Clean(text)
		}
		_, err := fmt.Fprintln(inv.std.Out, text)
		return err
	}
}

// written is the line's time, or the zero time if it cannot be read.
func written(l client.LogLine) time.Time {
	at, err := time.Parse(time.RFC3339Nano, l.Time)
	if err != nil {
		return time.Time{}
	}
	return at
}

// moment is the line's time for people: to the millisecond, as it came if it cannot be read.
func moment(l client.LogLine) string {
	if at := written(l); !at.IsZero() {
		return at.Local().Format("2006-01-02 15:04:05.000")
	}
	return l.Time
}
