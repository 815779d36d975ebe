package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

func (inv *invocation) console() *cobra.Command {
	var role string
	cmd := &cobra.Command{
		Use:   "console",
		Short: "Print a link that opens the console, and open it",
		Long: `Console prints a link that logs a browser in to the console: the fleet, each
rollout live, releases, the ledger.`,
		Example: "  fairlead console\n  fairlead console --role viewer",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := inv.client()
			if err != nil {
				return err
			}
			link, err := c.ConsoleLink(cmd.Context(), client.NewLink{Role: fairlead.Role(role)})
			if err != nil {
				return during("console", err)
			}
			inv.note("good once, for %s, with the role %s", time.Until(link.Expires).Round(time.Minute), link.Role)
			return inv.show(link, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, link.URL)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&role, "role", "", "`role` viewer, operator or admin, at most your own (default your own)")
	return cmd
}
