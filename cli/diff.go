package cli

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/cli/progress"
)

func (inv *invocation) diff() *cobra.Command {
	return &cobra.Command{
		Use:   "diff [APP@M] APP@N",
		Short: "What changed from one release to another",
		Long: `Diff says what a release has that another has not: files, with the lines of those
that are text, command, settings, secrets by their versions, gates and the policy of
its environments. With one release it is compared with the one that was live before
it, or else with the one of the number before.

Lines that begin with "#" are no part of a file's diff; the rest is in the unified
form, which other tools read.`,
		Example: "  fairlead diff triage@7\n  fairlead diff triage@5 triage@7\n  fairlead diff triage@7 --output json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 || len(args) == 2 {
				return nil
			}
			return usagef("such as: fairlead diff triage@6 triage@7", "diff takes one release or two, not %d", len(args))
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := inv.difference(cmd.Context(), args)
			if err != nil {
				return err
			}
			return inv.show(d, func(w io.Writer) error { return writeDiff(w, d) })
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
}

func (inv *invocation) difference(ctx context.Context, args []string) (client.Difference, error) {
	app, number, err := parseReleaseName(args[len(args)-1])
	if err != nil {
		return client.Difference{}, usage(err)
	}
	other, from, err := app, 0, error(nil)
	if len(args) == 2 {
		if other, from, err = parseReleaseName(args[0]); err != nil {
			return client.Difference{}, usage(err)
		}
	}
	if other != app {
		return client.Difference{}, usagef("name two releases of the same app", "%s and %s are different apps", other, app)
	}
	c, err := inv.client()
	if err != nil {
		return client.Difference{}, err
	}
	var d client.Difference
	if len(args) == 2 {
		d, err = c.DifferenceFrom(ctx, app, from, number)
	} else {
		d, err = c.Difference(ctx, app, number)
	}
	return d, during("diff "+strings.Join(args, " "), err)
}

// writeDiff writes a difference without what could steer a terminal.
func writeDiff(w io.Writer, d client.Difference) error {
	var text strings.Builder
	if err := client.WriteUnified(&text, d); err != nil {
		return err
	}
	var out strings.Builder
	for line := range strings.Lines(text.String()) {
		words := strings.Split(strings.TrimRight(line, "\n"), "\t")
		for i, word := range words {
			words[i] = progress.Clean(word)
		}
		out.WriteString(strings.Join(words, "\t") + "\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}
