package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/cli/progress"
)

func (inv *invocation) explain() *cobra.Command {
	var env string
	cmd := &cobra.Command{
		Use:   "explain APP",
		Short: "Why an app's rollout is where it is",
		Long: `Explain says in sentences and numbers why an app is where it is in an
environment: what is proven, what is missing, and what would change it.` + showEnvHelp,
		Example: "  fairlead explain triage\n  fairlead explain triage --env staging --output json",
		Args:    exactly("APP"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := inv.client()
			if err != nil {
				return err
			}
			site, err := inv.site(cmd.Context(), c, "explain", args[0], env)
			if err != nil {
				return err
			}
			x, err := c.Explain(cmd.Context(), site)
			if err != nil {
				return during("explain "+site.String(), err)
			}
			return inv.show(x, func(w io.Writer) error {
				for _, sentence := range x.Sentences {
					if _, err := fmt.Fprintln(w, progress.Clean(sentence)); err != nil {
						return err
					}
				}
				return nil
			})
		},
		ValidArgsFunction: inv.completeApps,
	}
	cmd.Flags().StringVar(&env, "env", "", "`environment` (default: the only or last one)")
	return cmd
}
