package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/internal/figures"
)

func (inv *invocation) volume() *cobra.Command {
	return group("volume", "Storage of apps that outlives their instances", `Volume shows and removes the volumes that apps declare under spec.volumes. A volume
is made when the first release that names it starts, and is kept, also when no
release names it any more, until somebody removes it.`,
		"  fairlead volume ls\n  fairlead volume rm triage index --env production",
		inv.volumeList(), inv.volumeRemove())
}

func (inv *invocation) volumeList() *cobra.Command {
	return &cobra.Command{
		Use: "ls", Aliases: []string{"list"}, Short: "All volumes, and what they hold",
		Long: `Ls shows each volume with what it held when it was measured, about once a minute,
and its size. The size is no hard limit: what a volume holds above it is shown here
and in status, and recorded, and nothing stops the app. Used by says which live
releases have it; one that no release has can be removed.`,
		Example: "  fairlead volume ls\n  fairlead volume ls --output json",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := inv.client()
			if err != nil {
				return err
			}
			volumes, err := c.Volumes(cmd.Context())
			if err != nil {
				return during("volume ls", err)
			}
			return inv.show(append([]client.Volume{}, volumes...), func(w io.Writer) error { return writeVolumes(w, volumes) })
		},
	}
}

func writeVolumes(w io.Writer, volumes []client.Volume) error {
	if len(volumes) == 0 {
		_, err := fmt.Fprintln(w, "no app has a volume: see spec.volumes in the App file")
		return err
	}
	rows := [][]string{{"APP", "ENVIRONMENT", "VOLUME", "PATH", "USED", "SIZE", "USED BY"}}
	for _, v := range volumes {
		rows = append(rows, volumeRow(v))
	}
	return table(w, rows)
}

func volumeRow(v client.Volume) []string {
	name, path, used, size, users := v.Name, v.Path, "not measured yet", "-", strings.Join(v.Users, ", ")
	if v.Release > 0 {
		name = fmt.Sprintf("%s (of %s@%d)", v.Name, v.App, v.Release)
	}
	if path == "" {
		path = "-"
	}
	if !v.Measured.IsZero() {
		used = figures.Bytes(v.Used)
	}
	if v.Over {
		used += ", too much"
	}
	if v.Size > 0 {
		size = figures.Bytes(v.Size)
	}
	if users == "" {
		users = "no release"
	}
	return []string{v.App, v.Env, name, path, used, size, users}
}

func (inv *invocation) volumeRemove() *cobra.Command {
	var env string
	cmd := &cobra.Command{
		Use: "rm APP NAME --env ENV", Aliases: []string{"remove"}, Short: "Destroy a volume with all that it holds",
		Long: `Rm destroys a volume of an app in an environment with all that it holds. It is
refused while a live release has it. The ledger keeps that it was there, and who
removed it. Nothing brings it back.`,
		Example: "  fairlead volume rm triage index --env production",
		Args:    exactly("APP", "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if env == "" {
				return usage(errNoEnv)
			}
			c, err := inv.client()
			if err != nil {
				return err
			}
			if err := c.RemoveVolume(cmd.Context(), args[0], env, args[1]); err != nil {
				return during("volume rm "+args[0]+" "+args[1], err)
			}
			return inv.show(map[string]string{"app": args[0], "env": env, "name": args[1], "removed": "yes"}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "volume %s of %s is removed\n", args[1], fairlead.Site{App: args[0], Env: env})
				return err
			})
		},
		ValidArgsFunction: inv.completeApps,
	}
	cmd.Flags().StringVar(&env, "env", "", "`environment` that the volume belongs to")
	return cmd
}
