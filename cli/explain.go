package cli

import (
	"fmt"
	"io"
	"strings"

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
				return writeSentences(w, x.Sentences)
			})
		},
		ValidArgsFunction: inv.completeApps,
	}
	cmd.Flags().StringVar(&env, "env", "", "`environment` (default: the only or last one)")
	return cmd
}

// explainColumns is how wide an explanation is at most.
const explainColumns = 80

// writeSentences writes each sentence on lines of its own. One that begins with spaces
// belongs to the one before; what does not fit into a line goes on below, indented.
func writeSentences(w io.Writer, sentences []string) error {
	for _, sentence := range sentences {
		rest := strings.TrimLeft(sentence, " ")
		indent := strings.Repeat(" ", min(len(sentence)-len(rest), 8))
		for i, line := range progress.Wrap(rest, explainColumns-len(indent)-2) {
			if i > 0 {
				line = "  " + line
			}
			if _, err := fmt.Fprintln(w, indent+line); err != nil {
				return err
			}
		}
	}
	return nil
}
