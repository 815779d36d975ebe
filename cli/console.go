package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/cli/progress"
	"github.com/fairlead/fairlead/internal/figures"
	"github.com/fairlead/fairlead/internal/ourhost"
)

func (inv *invocation) console() *cobra.Command {
	var role string
	var shut, endAll bool
	cmd := &cobra.Command{
		Use:   "console",
		Short: "Open the web pages: print a link that logs a browser in",
		Long: `Console prints a link that logs one browser in, and on a terminal opens it: the fleet,
each rollout live, releases, the ledger. A link works once and for five minutes; the
session lasts twelve hours, also when the control plane restarts. Whoever has the link
has your role: to show the pages to somebody who shall only look, write --role viewer.

Nothing is opened in a pipe, over SSH, or as root; the link is printed all the same.
Its name ends in .localhost, which browsers take to mean this machine. Where one does
not, write 127.0.0.1 in its place.

If a browser with a session is lost, --end-all ends every session at once.`,
		Example: "  fairlead console\n  fairlead console --role viewer --no-open",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := inv.client()
			if err != nil {
				return err
			}
			if endAll && role != "" {
				return usagef("write one of them", "--end-all opens nothing, so that --role says nothing")
			}
			if endAll {
				return inv.endSessions(cmd.Context(), c)
			}
			link, err := c.ConsoleLink(cmd.Context(), client.NewLink{Role: fairlead.Role(role)})
			if err != nil {
				return during("console", err)
			}
			if link.URL, err = reachable(link.URL, inv.remote()); err != nil {
				return during("console", err)
			}
			return inv.showLink(link, !shut)
		},
	}
	cmd.Flags().StringVar(&role, "role", "", "what the link lets one do: `role` viewer, operator or admin (default your own)")
	cmd.Flags().BoolVar(&shut, "no-open", false, "only print the link")
	cmd.Flags().BoolVar(&endAll, "end-all", false, "end every session of the console, in all browsers, and open none")
	_ = cmd.RegisterFlagCompletionFunc("role", cobra.FixedCompletions(
		[]string{string(fairlead.Viewer), string(fairlead.Operator), string(fairlead.Admin)}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// endSessions ends every session, for when a browser is lost.
func (inv *invocation) endSessions(ctx context.Context, c *client.Client) error {
	ended, err := c.EndSessions(ctx)
	if err != nil {
		return during("console --end-all", err)
	}
	return inv.show(ended, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s ended\n", figures.Plural(uint64(ended.Ended), "session", "sessions"))
		return err
	})
}

// showLink prints a link, alone on standard output, and opens it for a person.
func (inv *invocation) showLink(link client.Link, open bool) error {
	err := inv.show(link, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, link.URL)
		return err
	})
	if err != nil {
		return err
	}
	inv.note("it works once, within %s, and logs in with the role %s", figures.Left(float64(link.Seconds)), progress.Clean(string(link.Role)))
	if open && !inv.json() && progress.OpenTerminal(inv.screen, inv.std.Getenv, false) != nil {
		openBrowser(inv.std.Getenv, link.URL)
	}
	return nil
}

// reachable is a link as it can be reached from here: of a server elsewhere by the
// address that the command line has for it, which may be a tunnel.
func reachable(link, remote string) (string, error) {
	u, err := url.Parse(link)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", fairlead.Errorf(fairlead.Internal, "", "the server's link is none: %.100q", link)
	}
	if remote == "" {
		return u.String(), nil
	}
	base, err := url.Parse(remote)
	if err != nil || base.Host == "" {
		return "", usagef("write it as https://host:port", "server %q is not a URL", remote)
	}
	u.Scheme, u.Host = base.Scheme, base.Host
	if ip := net.ParseIP(base.Hostname()); base.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
		u.Host = ourhost.Console
		if base.Port() != "" {
			u.Host = net.JoinHostPort(ourhost.Console, base.Port())
		}
	}
	return u.String(), nil
}
