package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/cli/progress"
	"github.com/fairlead/fairlead/workload"
)

// wait watches a rollout until it needs no more watching, drawing it on a
// terminal or telling it line by line. It draws nothing with JSON.
func (inv *invocation) wait(ctx context.Context, c *client.Client, r client.Rollout) (client.Rollout, error) {
	terminal := progress.OpenTerminal(inv.screen, inv.std.Getenv, !inv.flags.noColor)
	var each func(seen) error
	switch {
	case inv.json():
		each = func(seen) error { return nil }
	case terminal != nil:
		each = func(s seen) error { return terminal.Draw(frames([]seen{s}, terminal.Style())) }
		defer terminal.Close()
	default:
		each = teller(inv.std.Out, time.Now)
	}
	var site client.Site
	last, err := follow(ctx, c, r, func(s seen) error {
		site = s.site
		return each(s)
	})
	if terminal != nil && !inv.json() {
		_ = terminal.Close()
	}
	if errors.Is(err, context.Canceled) {
		inv.note("\nStopped watching; the rollout goes on. Look again with: fairlead status %s", r.App)
		return last, exitError(ExitInterrupted)
	}
	if err != nil {
		return last, during("watch the rollout of "+r.App, err)
	}
	if terminal == nil && !inv.json() {
		fmt.Fprintln(inv.std.Out, progress.End(last))
	}
	inv.figures(last)
	inv.hintNext(last, site)
	return last, nil
}

// figures tells an end in its figures, where there were two releases to compare.
func (inv *invocation) figures(r client.Rollout) {
	compared := r.From > 0 && r.Strategy != fairlead.Replace && r.Kind != "rollback" && (r.Outcome == client.Promoted || r.Outcome == client.RolledBack)
	if inv.json() || !compared || r.Headline == "" {
		return
	}
	for _, line := range progress.Wrap(progress.Clean(r.Headline), 80) {
		fmt.Fprintln(inv.std.Out, line)
	}
}

// hintNext says what a person can look at after an end that was not wanted.
func (inv *invocation) hintNext(r client.Rollout, site client.Site) {
	started := slices.ContainsFunc(site.Instances, func(in workload.Status) bool { return in.Release == r.To })
	switch {
	case r.Outcome == "" && r.Held != "":
		inv.note("  hint: fairlead explain %s --env %s; then fairlead resume, rollback or abort", r.App, r.Env)
	case r.Outcome == client.Failed && started:
		inv.note("  hint: what its instances wrote: fairlead logs %s --env %s", r.App, r.Env)
		if slices.ContainsFunc(site.Instances, func(in workload.Status) bool { return in.Release == r.To && readOnly(in) }) {
			inv.note("  hint: an image runs without root, and writes to /tmp and its volumes alone; spec.loosen gives it more")
		}
	case r.Outcome == client.RolledBack:
		inv.note("  hint: why, in numbers: fairlead explain %s --env %s", r.App, r.Env)
	}
}

// readOnly reports whether an instance is a container that cannot write to its image's files.
func readOnly(in workload.Status) bool {
	return slices.ContainsFunc(in.Protections, func(p workload.Protection) bool { return p.Name == workload.ReadOnlyRoot && p.Enforced })
}

// teller returns a watcher that writes lines, each once, and where there is none to
// write for quietFor, what is still waited for.
func teller(out io.Writer, clock func() time.Time) func(seen) error {
	var teller progress.Teller
	var told time.Time
	began := clock() // of the silence
	wrote, away := began, false
	return func(s seen) error {
		if s.away != away {
			away = s.away
			if away {
				fmt.Fprintln(out, "the control plane does not answer; the traffic goes on without it")
			}
		}
		now := clock()
		due := now.Sub(told) >= tellEvery && !s.away
		if due {
			told = now
		}
		lines := teller.Tell(*s.site.Rollout, due)
		switch {
		case len(lines) > 0:
			began, wrote = now, now
		case now.Sub(wrote) >= quietFor && !s.away && !progress.Over(*s.site.Rollout):
			lines, wrote = []string{progress.Still(s.site, now.Sub(began))}, now
		}
		for _, line := range lines {
			if _, err := fmt.Fprintln(out, line); err != nil {
				return err
			}
		}
		return nil
	}
}

// frames draws what several watchers see, one below the other.
func frames(all []seen, style progress.Style) []string {
	var lines []string
	for i, s := range all {
		if i > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, progress.Frame(s.site, lookedAt(s.site), style)...)
		if s.away {
			lines = append(lines, style.Paint(progress.Care, "the control plane does not answer; the traffic goes on without it"))
		}
	}
	return lines
}

// lookedAt returns when the server looked at a site, by its own clock: the other
// times of the site go by that clock too.
func lookedAt(site client.Site) time.Time {
	if site.Seen.IsZero() {
		return time.Now()
	}
	return site.Seen
}

// begun shows what was begun and, with wait, how it ends, and returns the exit
// status as an error.
func (inv *invocation) begun(ctx context.Context, c *client.Client, d client.Deployed, wait bool) error {
	name := fmt.Sprintf("%s@%d", d.Release.App, d.Release.Number)
	switch {
	case d.Created:
		inv.note("%s made, %s", name, d.Release.Digest.Short())
	default:
		inv.note("%s has this content already, %s", name, d.Release.Digest.Short())
	}
	if !wait {
		if d.Rollout.Outcome != "" {
			inv.note("%s", progress.Summary(d.Rollout))
		} else {
			inv.note("it is on its way into %s: fairlead status %s", d.Rollout.Env, d.Release.App)
		}
		if inv.json() {
			return inv.line(d)
		}
		return nil
	}
	last, err := inv.wait(ctx, c, d.Rollout)
	d.Rollout = last
	if inv.json() && (err == nil || errors.Is(err, exitError(ExitInterrupted))) {
		if err := inv.line(d); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	if status := rolloutStatus(last); status != ExitDone {
		return exitError(status)
	}
	return nil
}

// acted shows the rollout that a person's command changed.
func (inv *invocation) acted(r client.Rollout) error {
	return inv.show(r, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, progress.Summary(r))
		return err
	})
}

var errNoEnv = (&fairlead.Error{Code: fairlead.Invalid, Err: errors.New("an environment must be named")}).
	WithHint("add --env, such as --env production")
