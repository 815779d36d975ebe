package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/cli/progress"
	"github.com/fairlead/fairlead/workload"
)

// diagnosis is the answer of `fairlead doctor`.
type diagnosis struct {
	workload.Diagnosis
	Engine   workload.EngineDiagnosis `json:"engine"`
	Loosened []loosened               `json:"loosened"` // of the server, where one answers
}

func (inv *invocation) doctor() *cobra.Command {
	var engine string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Attack this machine's sandbox and say what holds",
		Long: `Doctor starts an instance, a gate and a build as a server would, and has a hostile
program try to get out of each: to read and write files outside, reach sockets and
ports, trace processes, gain rights, dump core, and exhaust what is limited. It
prints each protection, whether it holds and why not, how it was tried and what
happened.

Where there is a container engine it has one harmless container run, and prints what
the kernel says that it is held by. Without one it says how to get one, which only
apps that are images need.

It needs no server, attacks only what it planted itself, and leaves nothing behind.
Exit status 7 if a protection that "sandbox: required" needs is missing, also of an
engine that is there, or if an attack got past one that is said to be enforced.`,
		Example: "  fairlead doctor\n  fairlead doctor --engine unix:///run/podman/podman.sock --output json",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			sandbox, err := inv.wiring.Doctor(ctx)
			if err != nil {
				return during("doctor", err)
			}
			d := diagnosis{Diagnosis: sandbox, Loosened: inv.loosened(ctx)}
			if d.Engine, err = inv.wiring.ExamineEngine(ctx, cmp.Or(engine, inv.engineOfServer(ctx))); err != nil {
				return during("doctor", err)
			}
			err = inv.show(d, func(w io.Writer) error {
				if err := showDiagnosis(w, d.Diagnosis); err != nil {
					return err
				}
				return showEngine(w, d)
			})
			if err == nil && !(d.Holds && d.Engine.Holds) {
				err = exitError(ExitUnprotected)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&engine, "engine", "", "`socket` of the container engine (default: that of the server that runs here, else $DOCKER_HOST, or a Docker or Podman that is found)")
	return cmd
}

// The lines of doctor's table, 80 columns wide: of a protection, and of an attack.
const (
	protectionLine = "%-18s %-6s %s"
	attackLine     = "    %-39s  %s"
)

// The widths of the table, and of the last column of a protection's line.
const (
	diagnosisWidth = 80
	reasonWidth    = diagnosisWidth - 26
)

// showDiagnosis writes doctor's table, and what follows from it.
func showDiagnosis(w io.Writer, d workload.Diagnosis) error {
	var text strings.Builder
	line := func(layout string, cells ...any) {
		fmt.Fprintln(&text, strings.TrimRight(progress.Clean(fmt.Sprintf(layout, cells...)), " "))
	}
	line(protectionLine, "PROTECTION", "HOLDS", "BY WHAT, OR WHY NOT")
	line(attackLine, "HOW IT WAS TRIED", "WHAT HAPPENED")
	for i, c := range d.Checks {
		name, holds := c.Name, "yes"
		if !c.Enforced {
			holds = "NO"
		}
		reason := why(c)
		if i > 0 && !c.Enforced && reason == why(d.Checks[i-1]) {
			reason = "NOT ENFORCED: as above"
		}
		for i, part := range append(progress.Wrap(reason, reasonWidth), "") {
			if i == 0 || part != "" {
				line(protectionLine, name, holds, part)
			}
			name, holds = "", ""
		}
		for _, row := range attemptRows(c.Attempts, len(d.Sandboxes)) {
			line(attackLine, row[0], row[1])
		}
	}
	fmt.Fprintf(&text, "\n%s\n", strings.Join(progress.Wrap(conclusion(d), diagnosisWidth), "\n"))
	_, err := io.WriteString(w, text.String())
	return err
}

// why says why a protection holds or does not, and what to do about it.
func why(c workload.Check) string {
	text := c.Shown()
	if !c.Enforced {
		text = "NOT ENFORCED: " + text
		if c.Hint != "" {
			text += "; " + c.Hint
		}
	}
	return text
}

// attemptRows are the two last cells of each attack, a row each: in which sandboxes
// it succeeded, or what happened in the first.
func attemptRows(attempts []workload.Attempt, sandboxes int) [][2]string {
	var rows [][2]string
	for i, a := range attempts {
		same := func(b workload.Attempt) bool { return b.Attack == a.Attack }
		if slices.ContainsFunc(attempts[:i], same) {
			continue
		}
		happened, in := a.Happened, []string{}
		if a.Outcome == workload.Untried {
			happened = "not tried: " + happened
		}
		for _, b := range attempts {
			if same(b) && b.Outcome == workload.Succeeded {
				in = append(in, b.In...)
				happened = "SUCCEEDED in " + strings.Join(in, ", ") + ": " + b.Happened
			}
		}
		if len(in) == sandboxes {
			happened = "SUCCEEDED: " + a.Happened
		}
		rows = append(rows, [2]string{a.Attack, happened})
	}
	return rows
}

// conclusion says in words what the table comes to.
func conclusion(d workload.Diagnosis) string {
	missing, rest := lacking(d.Checks)
	tried := "Attacked from inside: " + strings.Join(d.Sandboxes, ", ") + ". "
	list := strings.Join(rest, ", ")
	switch {
	case len(missing) > 0:
		return tried + "An app with sandbox: required does not start here, for want of " + strings.Join(missing, ", ") + "."
	case !d.Holds:
		return tried + "An attack got past what is said to be enforced: " + list + "."
	case len(rest) > 0:
		return tried + "All that sandbox: required needs holds. Not enforced: " + list +
			". An app that asks for such a limit and requires the sandbox does not start here."
	}
	return tried + "All that sandbox: required needs holds."
}

// lacking returns the names of what is not enforced: what sandbox: required needs, and
// the rest.
func lacking(checks []workload.Check) (missing, rest []string) {
	for _, c := range checks {
		switch {
		case !c.Enforced && c.Required:
			missing = append(missing, c.Name)
		case !c.Enforced:
			rest = append(rest, c.Name)
		}
	}
	return missing, rest
}
