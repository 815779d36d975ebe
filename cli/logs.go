package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/fairlead/fairlead/cli/progress"
	"github.com/fairlead/fairlead/workload"
	"github.com/spf13/cobra"
)

const maxLogLine = 1 << 20 // bytes; longer lines end the command with an error

// logLine is one line of an instance's log.
type logLine struct {
	Time     string `json:"time"`
	Instance string `json:"instance"`
	Stream   string `json:"stream"`
	Text     string `json:"text"`
}

func (inv *invocation) logs() *cobra.Command {
	var env, instance string
	options := workload.LogOptions{}
	cmd := &cobra.Command{
		Use:   "logs APP",
		Short: "What an app's instances write",
		Long: `Logs prints what an app's instances wrote: time, instance, stream and text. With
-f it goes on. On a terminal control characters are left out. With --output json
each line is an object.` + defaultEnvHelp,
		Example: "  fairlead logs triage --tail 20\n  fairlead logs triage -f --env production",
		Args:    exactly("APP"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if options.Tail < 0 {
				return usagef("", "--tail %d is not a number of lines", options.Tail)
			}
			return inv.runLogs(cmd.Context(), args[0], env, instance, options)
		},
		ValidArgsFunction: inv.completeApps,
	}
	cmd.Flags().StringVar(&env, "env", "", "`environment` (default: the only or last one)")
	cmd.Flags().StringVar(&instance, "instance", "", "only the instance with this `id`")
	cmd.Flags().IntVar(&options.Tail, "tail", 100, "newest `lines` to begin with, 0 for all")
	cmd.Flags().BoolVarP(&options.Follow, "follow", "f", false, "go on as lines come")
	return cmd
}

func (inv *invocation) runLogs(ctx context.Context, app, env, instance string, o workload.LogOptions) error {
	c, err := inv.client()
	if err != nil {
		return err
	}
	site, err := inv.site(ctx, c, "logs", app, env)
	if err != nil {
		return err
	}
	body, err := c.Logs(ctx, site, instance, o)
	if err != nil {
		return during("logs "+site.String(), err)
	}
	defer body.Close()
	err = inv.copyLogs(body)
	if o.Follow && errors.Is(err, context.Canceled) {
		return nil // that is how one ends a follow
	}
	return during("logs "+site.String(), err)
}

func (inv *invocation) copyLogs(body io.Reader) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 0, 64<<10), maxLogLine)
	terminal := progress.OpenTerminal(inv.std.Out, inv.std.Getenv, false) != nil
	for lines.Scan() {
		text := lines.Text()
		var err error
		switch {
		case inv.json():
			err = inv.line(parseLogLine(text))
		case terminal:
			_, err = fmt.Fprintln(inv.std.Out, progress.Clean(text))
		default:
			_, err = fmt.Fprintln(inv.std.Out, text)
		}
		if err != nil {
			return err
		}
	}
	return lines.Err()
}

// parseLogLine splits "time instance stream text" at its first three spaces.
func parseLogLine(line string) logLine {
	at, rest, _ := strings.Cut(line, " ")
	instance, rest, _ := strings.Cut(rest, " ")
	stream, text, _ := strings.Cut(rest, " ")
	return logLine{Time: at, Instance: instance, Stream: stream, Text: text}
}
