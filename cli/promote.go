package cli

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

func (inv *invocation) promote() *cobra.Command {
	var to string
	var wait bool
	cmd := &cobra.Command{
		Use:   "promote APP@N --to ENV",
		Short: "Begin the way of an existing release into an environment",
		Long: `Promote begins the rollout of a release that exists already in another
environment. It moves the same digest: nothing is built again. The environment's
gates must hold evidence for it. --wait works as in deploy.`,
		Example: "  fairlead promote triage@7 --to production --wait",
		Args:    exactly("APP@N"),
		RunE: func(cmd *cobra.Command, args []string) error {
			app, number, err := parseReleaseName(args[0])
			if err != nil {
				return usage(err)
			}
			if to == "" {
				return usagef("add --to, such as --to production", "promote needs an environment")
			}
			c, err := inv.client()
			if err != nil {
				return err
			}
			d, err := c.Promote(cmd.Context(), client.Promote{App: app, Number: number, Env: to})
			if err != nil {
				return during("promote "+args[0], err)
			}
			return inv.begun(cmd.Context(), c, d, wait)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().StringVar(&to, "to", "", "`environment` to enter")
	cmd.Flags().BoolVar(&wait, "wait", false, "watch until the rollout ends")
	return cmd
}

// parseReleaseName splits "app@number".
func parseReleaseName(s string) (app string, number int, err error) {
	app, digits, ok := strings.Cut(s, "@")
	number, convErr := strconv.Atoi(digits)
	if !ok || convErr != nil || number < 1 || !fairlead.ValidName(app) {
		return "", 0, fairlead.Errorf(fairlead.Invalid, "", "%q does not name a release", s).WithHint("write app@number, such as triage@7")
	}
	return app, number, nil
}
