package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/app/compose"
	"github.com/fairlead/fairlead/cli/progress"
)

// importing is how `fairlead import` writes.
type importing struct {
	out    string
	force  bool
	dryRun bool
}

func (inv *invocation) importCompose() *cobra.Command {
	var o importing
	cmd := &cobra.Command{
		Use:   "import COMPOSE-FILE...",
		Short: "Make App files of a compose file's services",
		Long: `Import makes an App file of each service of a compose file, beside it, and lists
what could not be carried over: where it stands, why, and what to do instead. A later
file is merged over an earlier one. Variables come from the environment and from
the file .env beside the first file; those that are set nowhere are listed.

A value that looks like a secret is not written: the App names a secret, and the
command that sets it is listed. Nothing is written when anything is wrong.

Exit status 0 when all was carried over, 8 when something listed as "lost" was not.`,
		Example: "  fairlead import compose.yaml --dry-run\n  fairlead import compose.yaml compose.gpu.yaml --out deploy",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("fairlead import compose.yaml", "import needs a compose file")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			imported, err := compose.Import(cmd.Context(), compose.Options{Files: args, Out: o.out, Environ: os.Environ()})
			if err == nil && !o.dryRun {
				err = imported.Write(o.force)
			}
			if err != nil {
				return during("import", err)
			}
			if err := inv.show(imported, func(w io.Writer) error { return showImported(w, imported, o.dryRun) }); err != nil {
				return err
			}
			if !imported.Complete() {
				return exitError(ExitPartly)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&o.out, "out", "", "write the App files to this `directory` (default: the compose file's)")
	cmd.Flags().BoolVar(&o.force, "force", false, "write over App files that are there")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "write nothing, only say what would be")
	return cmd
}

// showImported writes what became of each service.
func showImported(w io.Writer, imported compose.Imported, dryRun bool) error {
	var text strings.Builder
	for _, s := range imported.Services {
		showService(&text, s, dryRun)
	}
	fmt.Fprintln(&text, "all")
	if len(imported.Missing) > 0 {
		showLines(&text, "  lost     ", "variables that are set nowhere, and empty: "+strings.Join(imported.Missing, ", "))
		showLines(&text, "           -> ", "set them in the environment or in .env, and import again")
	}
	showNotes(&text, imported.Notes)
	fmt.Fprintln(&text)
	if commands := secretCommands(imported); len(commands) > 0 {
		fmt.Fprintln(&text, "Before the first deploy, set the secrets:")
		for _, command := range commands {
			fmt.Fprintf(&text, "  %s\n", progress.Clean(command))
		}
		fmt.Fprintln(&text)
	}
	var commands []string
	for _, s := range imported.Services {
		if s.App != "" {
			commands = append(commands, "  fairlead deploy -f "+s.File+" --wait")
		}
	}
	if len(commands) > 0 {
		fmt.Fprintf(&text, "Then, each when you have read its file:\n%s\n", strings.Join(commands, "\n"))
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// showService writes a service's heading and what a person should know of it.
func showService(w io.Writer, s compose.Service, dryRun bool) {
	if s.App == "" {
		fmt.Fprintf(w, "%s   no App\n", progress.Clean(s.Name))
		showLines(w, "  ", s.Left)
		fmt.Fprintln(w)
		return
	}
	arrow := "->"
	if dryRun {
		arrow = "would be"
	}
	fmt.Fprintf(w, "%s   %s %s\n", progress.Clean(s.Name), arrow, progress.Clean(s.File))
	showLines(w, "  carried over: ", strings.Join(s.Carried, ", "))
	showNotes(w, s.Notes)
	fmt.Fprintln(w)
}

// showNotes writes notes by kind, the ones that matter first.
func showNotes(w io.Writer, notes []compose.Note) {
	for _, kind := range []string{compose.Lost, compose.Decide, compose.Changed} {
		for _, n := range notes {
			if n.Kind != kind {
				continue
			}
			where := ""
			if n.Line > 0 {
				where = fmt.Sprintf("line %d, ", n.Line)
			}
			showLines(w, fmt.Sprintf("  %-7s  ", n.Kind), where+n.What+": "+n.Why)
			if n.Instead != "" {
				showLines(w, "           -> ", n.Instead)
			}
		}
	}
	var idle []string
	for _, n := range notes {
		if n.Kind == compose.Idle && !slices.Contains(idle, n.What) {
			idle = append(idle, n.What)
		}
	}
	if len(idle) > 0 {
		showLines(w, "  not needed: ", strings.Join(idle, ", "))
	}
}

// showLines writes text in lines of at most 100 columns, the first after head and the
// others below it.
func showLines(w io.Writer, head, text string) {
	if text == "" {
		return
	}
	for _, line := range progress.Wrap(progress.Clean(text), 100-len(head)) {
		fmt.Fprintf(w, "%s%s\n", head, line)
		head = strings.Repeat(" ", len(head))
	}
}

// secretCommands are the commands that set the secrets of all services, each once.
func secretCommands(imported compose.Imported) []string {
	var all []string
	for _, s := range imported.Services {
		for _, secret := range s.Secrets {
			if !slices.Contains(all, secret.Command) {
				all = append(all, secret.Command)
			}
		}
	}
	return all
}
