package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/cli/progress"
)

func (inv *invocation) up() *cobra.Command {
	o := UpOptions{}
	var logFormat, logLevel string
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start the server and stay in the foreground",
		Long: `Up starts the control plane and, where they do not run yet, the gateway and the
instances. If they do, it adopts them. SIGTERM and Ctrl-C end the control plane
only: gateway and instances go on, and the next up finds them. To end everything
use down.

On its first start it makes the state directory with the ledger's keys and the
first administrator's token (file admin.token, mode 0600), which the other
commands find by themselves. The API's address serves the console too: see
fairlead console.`,
		Example: "  fairlead up\n  fairlead up --state ./state --listen 127.0.0.1:8080 --api 127.0.0.1:8090",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.State, err = inv.stateDir(); err != nil {
				return err
			}
			if o.Log, err = inv.logger(logFormat, logLevel); err != nil {
				return err
			}
			if err = cmp.Or(address("listen", o.Listen), address("api", o.API)); err != nil {
				return err
			}
			o.Ready = inv.ready
			if err = inv.wiring.Up(cmd.Context(), o); errors.Is(err, context.Canceled) {
				return nil // a signal is how one ends it
			}
			return during("up", err)
		},
	}
	cmd.Flags().StringVar(&o.Listen, "listen", "127.0.0.1:8080", "`address` for the applications' traffic; port 0 takes a free one")
	cmd.Flags().StringVar(&o.API, "api", "127.0.0.1:8090", "`address` of the control API; port 0 takes a free one")
	cmd.Flags().StringVar(&o.Engine, "engine", "", "`socket` of the container engine for images (default: $DOCKER_HOST, or a Docker or Podman that is found)")
	cmd.Flags().BoolVar(&o.AllowUnsandboxed, "allow-unsandboxed", false, "start instances also where they could act as the administrator")
	cmd.Flags().StringVar(&o.DeviceRoot, "device-root", "", "look for GPUs below this absolute `directory` instead of the machine's own files")
	_ = cmd.Flags().MarkHidden("device-root") // for tests
	cmd.Flags().StringVar(&logFormat, "log-format", "text", "text or json, on standard error")
	cmd.Flags().StringVar(&logLevel, "log-level", "info", "debug, info, warn or error")
	return cmd
}

// address refuses a flag's value that is no address with a port.
func address(flag, value string) error {
	_, port, err := net.SplitHostPort(value)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return usagef("write it as HOST:PORT, such as 127.0.0.1:8080; port 0 takes a free one", "--%s %q is not an address with a port", flag, value)
	}
	return nil
}

// ready prints where a started server listens.
func (inv *invocation) ready(a Addresses) {
	_ = inv.show(a, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "ready: traffic on http://%s, control API on http://%s, state in %s\n", a.Gateway, a.API, a.State)
		return err
	})
	if progress.OpenTerminal(inv.screen, inv.std.Getenv, false) == nil {
		return // standard error may be read by a program
	}
	command := "fairlead console"
	if inv.flags.state != "" {
		command += " --state " + inv.flags.state
	}
	inv.note("see it in a browser with: %s", command)
}

func (inv *invocation) logger(format, level string) (*slog.Logger, error) {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		return nil, usagef("debug, info, warn or error", "--log-level %q is not known", level)
	}
	options := &slog.HandlerOptions{Level: least}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(inv.std.Err, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(inv.std.Err, options)), nil
	}
	return nil, usagef("text or json", "--log-format %q is not known", format)
}
