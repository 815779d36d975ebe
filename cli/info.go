package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/app"
)

func (inv *invocation) version() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Versions of this binary and of the server",
		Long:    "Version prints the version of this binary and, if one answers within a second, of\nthe server. That none answers is not an error.",
		Example: "  fairlead version\n  fairlead version --output json",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := map[string]any{"version": inv.wiring.Version, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH}
			server, err := inv.serverVersion(cmd.Context())
			if err == nil {
				v["server"] = server
			}
			return inv.show(v, func(w io.Writer) error {
				fmt.Fprintf(w, "fairlead %s %s %s/%s\n", inv.wiring.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
				if err == nil {
					fmt.Fprintf(w, "server   %s, traffic on %s, API on %s, up since %s\n", server.Version, server.Gateway, server.API, server.Started.Local().Format(time.DateTime))
				}
				return nil
			})
		},
	}
}

func (inv *invocation) serverVersion(ctx context.Context) (client.Version, error) {
	c, err := inv.client()
	if err != nil {
		return client.Version{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return c.Version(ctx)
}

func (inv *invocation) schema() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "The App file's JSON Schema",
		Long:    "Schema prints the JSON Schema of the App file, for editors and other programs.",
		Example: "  fairlead schema > app.schema.json",
		Args:    exactly(),
		RunE: func(*cobra.Command, []string) error {
			if inv.json() {
				return inv.line(json.RawMessage(app.Schema()))
			}
			_, err := inv.std.Out.Write(app.Schema())
			return err
		},
	}
}

func (inv *invocation) tour() *cobra.Command {
	var keep bool
	var runtime, engine string
	cmd := &cobra.Command{
		Use:   "tour",
		Short: "A demonstration with real traffic, in under two minutes",
		Long: `Tour starts Fairlead in a temporary state directory on free ports, deploys the
example application, sends it about 500 requests a second, and releases five
versions: a good one, one that fails more often, one that always fails, one that
crashes and one with a bad configuration. It ends with a summary, the requests
that Fairlead itself lost (none), and the ledger verified and replayed. Exit status
0 only if every outcome is the expected one. It prints a link to the console, where
each release can be seen live; on a terminal the console stays until you quit.
Everything is removed afterwards.

With --runtime container the releases are images, which a container engine of this
machine runs: one that is found, or the one that --engine names.`,
		Example: "  fairlead tour\n  fairlead tour --runtime container\n  fairlead tour --output json",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o := TourOptions{JSON: inv.json(), Keep: keep, Color: !inv.flags.noColor, Runtime: runtime, Engine: engine}
			std := inv.std
			std.Out = inv.screen // which may be a terminal; the tour itself says when it cannot write
			return during("tour", inv.wiring.Tour(cmd.Context(), o, std))
		},
	}
	cmd.Flags().StringVar(&runtime, "runtime", "process", "process or container: what releases run in")
	cmd.Flags().StringVar(&engine, "engine", "", "`socket` of the container engine (default: $DOCKER_HOST, or a Docker or Podman that is found)")
	cmd.Flags().BoolVar(&keep, "keep", false, "leave the state directory for a closer look")
	return cmd
}

func (inv *invocation) completion() *cobra.Command {
	return &cobra.Command{
		Use:       "completion SHELL",
		Short:     "Completion for bash, zsh, fish or powershell",
		Long:      "Completion prints a script that teaches a shell to complete fairlead's commands,\nflags and apps. SHELL is bash, zsh, fish or powershell.",
		Example:   "  fairlead completion bash > ~/.local/share/bash-completion/completions/fairlead",
		Args:      exactly("SHELL"),
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		RunE: func(cmd *cobra.Command, args []string) error {
			root, out := cmd.Root(), inv.std.Out
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(out)
			}
			return usagef("bash, zsh, fish or powershell", "shell %q is not known", args[0])
		},
	}
}
