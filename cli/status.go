package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/cli/progress"
	"github.com/fairlead/fairlead/internal/figures"
)

func (inv *invocation) status() *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use:   "status [APP]",
		Short: "Where every app, or one app, stands",
		Long: `Status shows each app's environments: which release takes the traffic, the newest
rollout with its evidence, and the instances. On a terminal it goes on drawing
while a rollout moves; Ctrl-C ends the drawing, not the rollout. In a pipe, with
--once and with --output json it answers once.`,
		Example: "  fairlead status\n  fairlead status triage --once",
		Args:    atMostOne("APP"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := inv.client()
			if err != nil {
				return err
			}
			look := func(ctx context.Context) ([]client.App, error) { return c.Apps(ctx) }
			if len(args) == 1 {
				look = func(ctx context.Context) ([]client.App, error) {
					a, err := c.App(ctx, args[0])
					return []client.App{a}, err
				}
			}
			return inv.showStatus(cmd.Context(), look, len(args) == 1, once)
		},
		ValidArgsFunction: inv.completeApps,
	}
	cmd.Flags().BoolVar(&once, "once", false, "answer once, also on a terminal")
	return cmd
}

func (inv *invocation) showStatus(ctx context.Context, look func(context.Context) ([]client.App, error), one, once bool) error {
	apps, err := look(ctx)
	if err != nil {
		return during("status", err)
	}
	if inv.json() {
		if one {
			return inv.line(apps[0])
		}
		return inv.line(append([]client.App{}, apps...))
	}
	terminal := progress.OpenTerminal(inv.screen, inv.std.Getenv, !inv.flags.noColor)
	if terminal != nil && !once && moving(apps) {
		return inv.drawStatus(ctx, terminal, look, apps)
	}
	style := progress.Style{Width: 80}
	if terminal != nil {
		style = terminal.Style()
	}
	if err := writeStatus(inv.std.Out, apps, style); err != nil {
		return err
	}
	return inv.writeGateway(ctx)
}

// writeGateway says where the applications' traffic enters. A server that does not
// say it is no error.
func (inv *invocation) writeGateway(ctx context.Context) error {
	server, err := inv.serverVersion(ctx)
	if err != nil || server.Gateway == "" {
		return nil
	}
	_, err = fmt.Fprintf(inv.std.Out, "\ntraffic enters at http://%s\n%s", server.Gateway, clockLine(server.ClockOff))
	return err
}

// clockLine says that the server's machine has another time than its records, or
// nothing where they agree.
func clockLine(off float64) string {
	by := time.Duration(off * float64(time.Second)).Round(time.Second)
	switch {
	case by.Abs() <= 5*time.Second:
		return ""
	case by < 0:
		return fmt.Sprintf("the machine's clock is %s behind the ledger's newest times; Fairlead keeps to the ledger's and never goes back\n", -by)
	}
	return fmt.Sprintf("the machine's clock was set forward by %s; Fairlead takes it over at its next start\n", by)
}

// drawStatus redraws until nothing moves any more.
func (inv *invocation) drawStatus(ctx context.Context, terminal *progress.Terminal, look func(context.Context) ([]client.App, error), apps []client.App) error {
	defer terminal.Close()
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	away := false
	for {
		if err := terminal.Draw(statusFrame(apps, away, terminal.Style())); err != nil {
			return err
		}
		if !away && !moving(apps) {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		fresh, err := look(ctx)
		away = err != nil
		switch {
		case err == nil:
			apps = fresh
		case errors.Is(err, context.Canceled):
			return nil
		case !passing(err):
			return during("status", err)
		}
	}
}

func statusFrame(apps []client.App, away bool, style progress.Style) []string {
	var all []seen
	for _, a := range apps {
		for _, site := range a.Sites {
			all = append(all, seen{site: site})
		}
	}
	if len(all) > 0 {
		all[len(all)-1].away = away
	}
	return frames(all, style)
}

func moving(apps []client.App) bool {
	for _, a := range apps {
		for _, site := range a.Sites {
			if site.Rollout != nil && !progress.Over(*site.Rollout) {
				return true
			}
		}
	}
	return false
}

// writeStatus writes each site once: a table of all, then the rollouts that move.
func writeStatus(w io.Writer, apps []client.App, style progress.Style) error {
	if len(apps) == 0 {
		_, err := fmt.Fprintln(w, "no app is deployed yet: fairlead deploy -f app.yaml")
		return err
	}
	rows := [][]string{{"APP", "ENVIRONMENT", "RELEASE", "ROUTE", "INSTANCES", "ROLLOUT"}}
	var details []string
	for _, a := range apps {
		for _, site := range a.Sites {
			rows = append(rows, statusRow(site))
			if r := site.Rollout; r != nil && (r.Outcome == "" || r.Held != "") {
				details = append(append(details, ""), progress.Frame(site, lookedAt(site), style)...)
			}
		}
	}
	if err := writeSites(w, rows, style.Width); err != nil {
		return err
	}
	for _, line := range append(append(statusWarnings(apps), troubles(apps)...), details...) {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// statusWarnings say what of the sites asks for attention beside their rollouts.
func statusWarnings(apps []client.App) []string {
	var lines []string
	for _, a := range apps {
		for _, site := range a.Sites {
			for _, v := range site.Over {
				lines = append(lines, fmt.Sprintf("%s %s: volume %s holds %s, more than its size of %s", site.App, site.Env, v.Name, figures.Bytes(v.Used), figures.Bytes(v.Size)))
			}
			for _, l := range site.Loosened {
				lines = append(lines, fmt.Sprintf("%s %s: the containers of %s@%d are loosened: %s", site.App, site.Env, site.App, l.Release, strings.Join(l.Allows, ", ")))
			}
		}
	}
	if len(lines) > 0 {
		lines = append([]string{""}, lines...)
	}
	return lines
}

// writeSites writes the table of sites. Where it would be wider than that many
// columns, routes have a table of their own.
func writeSites(w io.Writer, rows [][]string, width int) error {
	var whole strings.Builder
	if err := table(&whole, rows); err != nil {
		return err
	}
	if !slices.ContainsFunc(strings.Split(whole.String(), "\n"), func(line string) bool { return utf8.RuneCountInString(line) > width }) {
		_, err := io.WriteString(w, whole.String())
		return err
	}
	var sites, routes [][]string
	for _, row := range rows {
		sites = append(sites, append(slices.Clone(row[:3]), row[4:]...))
		routes = append(routes, []string{row[0], row[1], row[3]})
	}
	if err := table(w, sites); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return table(w, routes)
}

func statusRow(site client.Site) []string {
	stable, rollout := "-", "-"
	if site.Stable > 0 {
		stable = fmt.Sprintf("%s@%d", site.App, site.Stable)
	}
	if r := site.Rollout; r != nil {
		rollout = fmt.Sprintf("%s@%d %s", site.App, r.To, progress.Standing(*r))
	}
	h := site.Health()
	return []string{site.App, site.Env, stable, site.Host + site.Path, fmt.Sprintf("%d of %d ready", h.Ready, h.Wanted), rollout}
}
