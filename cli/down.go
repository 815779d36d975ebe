package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

const downPatience = 60 * time.Second

func (inv *invocation) down() *cobra.Command {
	var keep, force bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "End the server, its gateway and all instances",
		Long: `Down ends the control plane, the gateway and all instances, each within its drain
time. State stays: the next up starts everything again. With --keep-running it
ends the control plane only, and traffic goes on without it.

Where no control plane answers, it ends the gateway and the instances that one
left, by the state directory. With --force it does so also where the ledger cannot
be opened; that is then not on record.`,
		Example: "  fairlead down\n  fairlead down --keep-running",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := inv.client()
			if err != nil {
				return err
			}
			err = c.Shutdown(cmd.Context(), !keep)
			if errors.Is(err, client.ErrNoServer) && inv.remote() == "" && !keep {
				return inv.downAlone(cmd.Context(), force, err)
			}
			if err == nil {
				err = inv.gone(cmd.Context(), c)
			}
			if err != nil {
				return during("down", err)
			}
			text := "everything has ended"
			if keep {
				text = "the control plane has ended; gateway and instances go on"
			}
			return inv.hasEnded(text, !keep)
		},
	}
	cmd.Flags().BoolVar(&keep, "keep-running", false, "leave gateway and instances running")
	cmd.Flags().BoolVar(&force, "force", false, "end what runs also where the ledger cannot be opened")
	return cmd
}

// downAlone ends what a control plane that is gone left. silence is the error of a
// server that does not answer, which stands where there never was one.
func (inv *invocation) downAlone(ctx context.Context, force bool, silence error) error {
	dir, err := inv.stateDir()
	if err != nil {
		return err
	}
	ended, err := inv.wiring.Down(ctx, DownOptions{State: dir, Force: force})
	switch {
	case fairlead.CodeOf(err) == fairlead.NotFound:
		return during("down", silence)
	case err != nil && !force && fairlead.CodeOf(err) != fairlead.Conflict && fairlead.CodeOf(err) != fairlead.Forbidden:
		return &fairlead.Error{Code: fairlead.CodeOf(err), Op: "down", Err: err, Hint: "end what runs without a record: fairlead down --force"}
	case err != nil:
		return during("down", err)
	case ended == (Ended{}):
		return inv.hasEnded("nothing runs for "+dir, true)
	}
	return inv.hasEnded(fmt.Sprintf("no control plane answered; ended: %s", ended), true)
}

// String says what was ended: "the gateway and 2 instances were".
func (e Ended) String() string {
	var parts []string
	if e.Gateway {
		parts = append(parts, "the gateway")
	}
	switch e.Instances {
	case 0:
	case 1:
		parts = append(parts, "an instance")
	default:
		parts = append(parts, fmt.Sprintf("%d instances", e.Instances))
	}
	return strings.Join(parts, " and ")
}

func (inv *invocation) hasEnded(text string, all bool) error {
	return inv.show(map[string]bool{"down": true, "instancesStopped": all}, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, text)
		return err
	})
}

// gone returns when the server no longer answers and, on this machine, has let go of
// its state directory.
func (inv *invocation) gone(ctx context.Context, c *client.Client) error {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.Now().Add(downPatience)
	for {
		if _, err := c.Version(ctx); errors.Is(err, client.ErrNoServer) {
			return inv.released(ctx)
		}
		if time.Now().After(deadline) {
			return fairlead.Errorf(fairlead.Unavailable, "down", "the server still answers after %s", downPatience).WithHint("look at its log")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

func (inv *invocation) released(ctx context.Context) error {
	if inv.remote() != "" {
		return nil
	}
	dir, err := inv.stateDir()
	if err != nil {
		return err
	}
	return inv.wiring.AwaitEnd(ctx, dir)
}
