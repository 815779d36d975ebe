package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/cli/progress"
	"github.com/fairlead/fairlead/workload"
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
		Long: `Logs prints what an app's instances wrote: time, instance, stream and text, in
the order of time; with --tail 0 and with -f as each instance gives it. With -f it
goes on. On a terminal control characters are left out. With --output json
each line is an object.` + showEnvHelp,
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
	cmd.Flags().IntVar(&options.Tail, "tail", 100, "newest `lines` of each instance to begin with, 0 for all")
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
	if !o.Follow && o.Tail > 0 {
		return during("logs "+site.String(), inv.orderedLogs(body))
	}
	err = inv.copyLogs(body)
	if o.Follow && errors.Is(err, context.Canceled) {
		return nil // that is how one ends a follow
	}
	return during("logs "+site.String(), err)
}

func (inv *invocation) copyLogs(body io.Reader) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 0, 64<<10), maxLogLine)
	show := inv.logWriter()
	for lines.Scan() {
		if err := show(parseLogLine(lines.Text())); err != nil {
			return err
		}
	}
	return lines.Err()
}

// orderedLogs shows the lines of all instances in the order of their time. The
// server gives one instance after the other.
func (inv *invocation) orderedLogs(body io.Reader) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 0, 64<<10), maxLogLine)
	var all []logLine
	for lines.Scan() {
		all = append(all, parseLogLine(lines.Text()))
	}
	if err := lines.Err(); err != nil {
		return err
	}
	slices.SortStableFunc(all, func(a, b logLine) int { return a.at().Compare(b.at()) })
	show := inv.logWriter()
	for _, line := range all {
		if err := show(line); err != nil {
			return err
		}
	}
	return nil
}

// logWriter returns what writes a line: as JSON, or as aligned text, without
// control characters on a terminal.
func (inv *invocation) logWriter() func(logLine) error {
	if inv.json() {
		return func(l logLine) error { return inv.line(l) }
	}
	terminal := progress.OpenTerminal(inv.screen, inv.std.Getenv, false) != nil
	return func(l logLine) error {
		text := fmt.Sprintf("%-24s  %s  %-8s  %s", l.moment(), l.Instance, l.Stream, l.Text)
		if terminal {
			text = progress.Clean(text)
		}
		_, err := fmt.Fprintln(inv.std.Out, text)
		return err
	}
}

// at is the line's time, or the zero time if it cannot be read.
func (l logLine) at() time.Time {
	at, err := time.Parse(time.RFC3339Nano, l.Time)
	if err != nil {
		return time.Time{}
	}
	return at
}

// moment is the line's time for people: to the millisecond, as it came if it cannot be read.
func (l logLine) moment() string {
	if at := l.at(); !at.IsZero() {
		return at.Local().Format("2006-01-02 15:04:05.000")
	}
	return l.Time
}

// parseLogLine splits "instance time stream text" at its first three spaces.
func parseLogLine(line string) logLine {
	instance, rest, _ := strings.Cut(line, " ")
	at, rest, _ := strings.Cut(rest, " ")
	stream, text, _ := strings.Cut(rest, " ")
	return logLine{Time: at, Instance: instance, Stream: stream, Text: text}
}
