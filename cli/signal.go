package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/api/client"
)

func (inv *invocation) signal() *cobra.Command {
	return &cobra.Command{
		Use:   "signal TRACE NAME=VALUE...",
		Short: "Report the quality of an answer",
		Long: `Signal reports values of one answered request: what a grader or a user made of it.
TRACE is the header Fairlead-Trace that came with the request and its answer, NAME a
signal that the app's file declares. What is taken is recorded and judged; reporting
it again changes nothing.

A program does the same with POST /v1/signals, and a token of its own: see
fairlead token create.`,
		Example: "  fairlead signal \"$TRACE\" quality=0.7\n  fairlead signal \"$TRACE\" task-success=1 steps=12",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usagef("write: fairlead signal TRACE quality=0.7", "a trace and at least one value are needed")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			reports, err := reportsOf(args[0], args[1:])
			if err != nil {
				return err
			}
			c, err := inv.client()
			if err != nil {
				return err
			}
			in := client.Signals{Reports: reports}
			if len(reports) == 1 { // its error is then the call's
				in = client.Signals{Trace: reports[0].Trace, Signal: reports[0].Signal, Value: &reports[0].Value}
			}
			taken, err := c.Report(cmd.Context(), in)
			if err != nil {
				return during("signal", err)
			}
			return inv.signalled(reports, taken)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
}

// reportsOf reads NAME=VALUE arguments.
func reportsOf(trace string, args []string) ([]client.SignalReport, error) {
	var reports []client.SignalReport
	for _, arg := range args {
		name, text, found := strings.Cut(arg, "=")
		value, err := strconv.ParseFloat(text, 64)
		if !found || name == "" || err != nil {
			return nil, usagef("write it as NAME=VALUE, such as quality=0.7", "%q is not a signal and a number", arg)
		}
		reports = append(reports, client.SignalReport{Trace: trace, Signal: name, Value: value})
	}
	return reports, nil
}

// signalled says what became of the values; one that was refused fails the command.
func (inv *invocation) signalled(reports []client.SignalReport, taken client.SignalsTaken) error {
	err := inv.show(taken, func(w io.Writer) error {
		if taken.Taken > 0 {
			fmt.Fprintf(w, "%d recorded\n", taken.Taken)
		}
		if taken.Repeated > 0 {
			fmt.Fprintf(w, "%d had a value already, which stays\n", taken.Repeated)
		}
		return nil
	})
	for _, r := range taken.Refused {
		inv.note("%s: %s", reports[r.Index].Signal, r.Detail)
		if r.Hint != "" {
			inv.note("  hint: %s", r.Hint)
		}
	}
	if err == nil && len(taken.Refused) > 0 {
		err = exitError(ExitFailed)
	}
	return err
}
