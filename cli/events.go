package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/cli/progress"
)

func (inv *invocation) events() *cobra.Command {
	var from uint64
	var tail int
	var follow bool
	cmd := &cobra.Command{
		Use:   "events",
		Short: "The ledger's newest entries",
		Long: `Events prints the ledger's newest entries: what happened, where, and who did it.
With -f it goes on. With --output json each entry is an object on a line.`,
		Example: "  fairlead events --tail 20\n  fairlead events --from 0 --output json",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := inv.client()
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("from") {
				err = c.Events(cmd.Context(), from, follow, inv.event)
			} else {
				err = c.NewestEvents(cmd.Context(), max(tail, 0), follow, inv.event)
			}
			if follow && errors.Is(err, context.Canceled) {
				return nil
			}
			return during("events", err)
		},
	}
	cmd.Flags().Uint64Var(&from, "from", 0, "begin at this `position` of the ledger instead of near its end")
	cmd.Flags().IntVar(&tail, "tail", 50, "newest `entries` to begin with")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on as entries come")
	return cmd
}

func (inv *invocation) event(e client.Event) error {
	if inv.json() {
		return inv.line(e)
	}
	where := ""
	if e.App != "" {
		where = e.App
		if e.Env != "" {
			where += "/" + e.Env
		}
		where += " "
	}
	text := fmt.Sprintf("%5d  %s  %-20s %s%s (%s)", e.Seq, e.Time.Local().Format(time.DateTime), e.Kind, where, e.Text, e.Principal)
	_, err := fmt.Fprintln(inv.std.Out, progress.Clean(text))
	return err
}
