package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/api/client"
)

// How a command that changes something, and one that only shows it, finds its
// environment.
const (
	actEnvHelp = `

Where the app has several environments, --env must name one.`
	showEnvHelp = `

Where the app has several environments, it is the last one of its file that the app
was deployed to, if --env names no other.`
)

func (inv *invocation) rollback() *cobra.Command {
	return inv.action("rollback", "Go back to the release before", `Rollback gives the traffic back to the release that had it before. It waits for
nothing and asks no gate: that release earned its traffic once. If a rollout is
moving, it is turned back. Asked for twice, it goes back once: only abort stops it.`+actEnvHelp, "  fairlead rollback triage --reason 'wrong answers in German'", true)
}

func (inv *invocation) pause() *cobra.Command {
	return inv.action("pause", "Stop a rollout from advancing", `Pause keeps a rollout at its present share. Judging goes on, and evidence of harm
still turns the rollout back.`+actEnvHelp, "  fairlead pause triage --env production", false)
}

func (inv *invocation) resume() *cobra.Command {
	return inv.action("resume", "Let a held rollout go on", `Resume lets a rollout go on that a person paused, or that is held because it was
inconclusive or its lease expired. One that is held because the new release's share
of the users is not as it should be (share mismatch) goes on only with --reason: why
that is so, and why the releases can be compared all the same.`+actEnvHelp,
		"  fairlead resume triage\n  fairlead resume triage --reason 'a crawler keeps to the old release'", false)
}

func (inv *invocation) abort() *cobra.Command {
	return inv.action("abort", "Stop a rollout and return its traffic", `Abort ends a rollout: its traffic returns to the old release, and the outcome is
recorded as a person's decision.`+actEnvHelp, "  fairlead abort triage --reason 'released by mistake'", true)
}

func (inv *invocation) action(name, short, long, example string, waits bool) *cobra.Command {
	var env, reason string
	var wait bool
	cmd := &cobra.Command{
		Use: name + " APP", Short: short, Long: long, Example: example, Args: exactly("APP"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, c, err := inv.act(cmd.Context(), args[0], env, name, client.Act{Reason: reason})
			if err != nil {
				return err
			}
			if !wait {
				return inv.acted(r)
			}
			return inv.waitAction(cmd.Context(), c, r)
		},
		ValidArgsFunction: inv.completeApps,
	}
	cmd.Flags().StringVar(&env, "env", "", "`environment`; needed where the app has several")
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the ledger")
	if waits {
		cmd.Flags().BoolVar(&wait, "wait", false, "watch until the traffic has moved")
	}
	return cmd
}

func (inv *invocation) act(ctx context.Context, app, env, name string, a client.Act) (client.Rollout, *client.Client, error) {
	c, err := inv.client()
	if err != nil {
		return client.Rollout{}, nil, err
	}
	site, err := onlySite(ctx, c, name, app, env)
	if err != nil {
		return client.Rollout{}, nil, err
	}
	r, err := c.Act(ctx, site, name, a)
	return r, c, during(name+" "+site.String(), err)
}

// waitAction watches a rollout that a person turned: that it ends is success.
func (inv *invocation) waitAction(ctx context.Context, c *client.Client, r client.Rollout) error {
	last, err := inv.wait(ctx, c, r)
	if inv.json() && (err == nil || errors.Is(err, exitError(ExitInterrupted))) {
		if err := inv.line(last); err != nil {
			return err
		}
	}
	if err == nil && last.Outcome == "" {
		return exitError(ExitInconclusive)
	}
	return err
}
