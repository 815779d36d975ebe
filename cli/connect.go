package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

// stateDir returns the state directory: --state, $FAIRLEAD_STATE, /var/lib/fairlead
// for root, and otherwise the user's state home.
func (inv *invocation) stateDir() (string, error) {
	dir := inv.flags.state
	if dir == "" {
		dir = inv.std.Getenv("FAIRLEAD_STATE")
	}
	if dir == "" && os.Geteuid() == 0 {
		dir = "/var/lib/fairlead"
	}
	if home := inv.std.Getenv("XDG_STATE_HOME"); dir == "" && filepath.IsAbs(home) {
		dir = filepath.Join(home, "fairlead")
	}
	if home := inv.std.Getenv("HOME"); dir == "" && home != "" {
		dir = filepath.Join(home, ".local", "state", "fairlead")
	}
	if dir == "" {
		return "", usagef("write --state DIRECTORY", "there is no state directory")
	}
	return filepath.Abs(dir)
}

// remote returns the URL of the server, or "" for the local one.
func (inv *invocation) remote() string {
	switch {
	case inv.flags.server != "":
		return inv.flags.server
	case inv.flags.state != "":
		return "" // an explicit directory beats the environment
	}
	return inv.std.Getenv("FAIRLEAD_SERVER")
}

// client returns a client of the server that the flags name. Nothing is dialled yet.
func (inv *invocation) client() (*client.Client, error) {
	if url := inv.remote(); url != "" {
		if !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") {
			return nil, usagef("write it as https://host:port", "server %q is not a URL", url)
		}
		token, err := inv.remoteToken()
		if err != nil {
			return nil, err
		}
		return client.Remote(url, token), nil
	}
	dir, err := inv.stateDir()
	if err != nil {
		return nil, err
	}
	c := client.Local(dir)
	if token := client.ReadToken(dir); token != "" {
		c = c.WithToken(token)
	}
	return c, nil
}

const maxToken = 8 << 10 // bytes of a token's file

func (inv *invocation) remoteToken() (string, error) {
	if inv.flags.tokenFile == "" {
		return strings.TrimSpace(inv.std.Getenv("FAIRLEAD_TOKEN")), nil
	}
	const hint = "name the file with the token: admin.token in the server's state directory, or a copy"
	data, err := readFile(inv.flags.tokenFile, maxToken)
	if err != nil {
		return "", usagef(hint, "--token-file: %w", err)
	}
	if len(data) > maxToken {
		return "", usagef(hint, "--token-file: %s is too large for a token", inv.flags.tokenFile)
	}
	return strings.TrimSpace(string(data)), nil
}

// localOnly returns the state directory for a command that reads it itself.
func (inv *invocation) localOnly(op string) (string, error) {
	if inv.remote() != "" {
		return "", fairlead.Errorf(fairlead.Unsupported, op, "it reads the state directory, which is on the server's machine").
			WithHint("run it there, with --state DIRECTORY")
	}
	return inv.stateDir()
}

// site chooses the environment of an app to look at: the one that was asked for, or
// the only one, or the last, which it says on standard error.
func (inv *invocation) site(ctx context.Context, c *client.Client, op, app, env string) (fairlead.Site, error) {
	if env != "" {
		return fairlead.Site{App: app, Env: env}, nil
	}
	envs, err := environments(ctx, c, op, app)
	if err != nil {
		return fairlead.Site{}, err
	}
	last := envs[len(envs)-1]
	if len(envs) > 1 {
		inv.note("environment %s, the last of %d (choose another with --env)", last, len(envs))
	}
	return fairlead.Site{App: app, Env: last}, nil
}

// onlySite chooses the environment of an app in which something is to change: the
// one that was asked for, or the only one. Of several none is guessed.
func onlySite(ctx context.Context, c *client.Client, op, app, env string) (fairlead.Site, error) {
	if env != "" {
		return fairlead.Site{App: app, Env: env}, nil
	}
	envs, err := environments(ctx, c, op, app)
	if err != nil {
		return fairlead.Site{}, err
	}
	if len(envs) > 1 {
		return fairlead.Site{}, usagef(fmt.Sprintf("name one: fairlead %s %s --env %s", op, app, envs[len(envs)-1]),
			"%s %s: it is in %s", op, app, strings.Join(envs, ", "))
	}
	return fairlead.Site{App: app, Env: envs[0]}, nil
}

// environments returns those that an app was deployed to: one at least, in the
// server's order.
func environments(ctx context.Context, c *client.Client, op, app string) ([]string, error) {
	a, err := c.App(ctx, app)
	if err != nil {
		return nil, during(op+" "+app, err)
	}
	var envs []string
	for _, site := range a.Sites {
		envs = append(envs, site.Env)
	}
	if len(envs) == 0 {
		return nil, fairlead.Errorf(fairlead.NotFound, op+" "+app, "it has no environment yet").WithHint("deploy it first: fairlead deploy -f app.yaml")
	}
	return envs, nil
}

// completeApps offers the names of apps to the shell.
func (inv *invocation) completeApps(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	c, err := inv.client()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), time.Second)
	defer cancel()
	apps, err := c.Apps(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, a := range apps {
		names = append(names, fmt.Sprintf("%s\t%d releases", a.Name, a.Newest))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
