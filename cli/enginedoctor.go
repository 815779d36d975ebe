package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/fairlead/fairlead/cli/progress"
	"github.com/fairlead/fairlead/workload"
)

// loosened is a live release whose containers may do more than the default.
type loosened struct {
	App         string   `json:"app"`
	Environment string   `json:"environment"`
	Release     int      `json:"release"`
	Allows      []string `json:"allows"`
}

// loosened asks the server which apps are loosened. Where none answers at once there
// are none to tell of.
func (inv *invocation) loosened(ctx context.Context) []loosened {
	all := []loosened{}
	c, err := inv.client()
	if err != nil {
		return all
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	apps, err := c.Apps(ctx)
	if err != nil {
		return all
	}
	for _, app := range apps {
		for _, site := range app.Sites {
			for _, l := range site.Loosened {
				all = append(all, loosened{App: site.App, Environment: site.Env, Release: l.Release, Allows: l.Allows})
			}
		}
	}
	return all
}

// engineOfServer returns where the engine listens that the server of this machine uses,
// or nothing where none answers at once.
func (inv *invocation) engineOfServer(ctx context.Context) string {
	if inv.remote() != "" {
		return ""
	}
	c, err := inv.client()
	if err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	version, err := c.Version(ctx)
	if err != nil {
		return ""
	}
	return version.Engine
}

// The lines of what there is to say of containers: "network of its own" is the longest name.
const (
	engineRow        = "%-19s %s"
	engineProtection = "%-19s %-6s %s"
)

// showEngine writes what there is to say of containers.
func showEngine(w io.Writer, d diagnosis) error {
	var text strings.Builder
	paragraph := func(words string) {
		fmt.Fprintf(&text, "%s\n", strings.Join(progress.Wrap(progress.Clean(words), diagnosisWidth), "\n"))
	}
	e := d.Engine
	fmt.Fprintln(&text)
	if !e.Found {
		fmt.Fprintf(&text, engineRow+"\n", "CONTAINER ENGINE", "none")
		paragraph(sentence(e.Why) + " Only apps that are images need one. " + sentence(e.Hint))
		_, err := io.WriteString(w, text.String())
		return err
	}
	fmt.Fprintf(&text, engineRow+"\n", "CONTAINER ENGINE", progress.Clean(e.Name))
	for _, row := range [][2]string{
		{"listens at", e.Host}, {"API", e.API}, {"storage", e.Storage}, {"control groups", e.Cgroups},
		{"rootless", map[bool]string{true: "yes", false: "no: who may use its socket is as good as root"}[e.Rootless]}, {"seccomp", either(e.Seccomp, "none")},
	} {
		if row[1] != "" {
			fmt.Fprintf(&text, engineRow+"\n", row[0], progress.Clean(row[1]))
		}
	}
	if len(e.Checks) > 0 {
		fmt.Fprintf(&text, "\n"+engineProtection+"\n", "A CONTAINER HAS", "HOLDS", "AS READ BACK FROM THE KERNEL")
	}
	for _, c := range e.Checks {
		engineLines(&text, c)
	}
	fmt.Fprintln(&text)
	paragraph(engineConclusion(e))
	for _, l := range d.Loosened {
		paragraph(fmt.Sprintf("Loosened: %s@%d in %s: %s.", l.App, l.Release, l.Environment, strings.Join(l.Allows, ", ")))
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// engineLines writes the row of a protection of containers.
func engineLines(w io.Writer, c workload.Check) {
	name, holds, reason := c.Name, "yes", c.Shown()
	if !c.Enforced {
		holds, reason = "NO", why(c)
	}
	for i, part := range append(progress.Wrap(progress.Clean(reason), reasonWidth-1), "") {
		if i == 0 || part != "" {
			fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf(engineProtection, name, holds, part), " "))
		}
		name, holds = "", ""
	}
}

// engineConclusion says in words what the container showed.
func engineConclusion(e workload.EngineDiagnosis) string {
	if e.Why != "" {
		return "No container could be tried: " + e.Why + ". " + sentence(e.Hint)
	}
	missing, rest := lacking(e.Checks)
	switch {
	case len(missing) > 0:
		return "An image with sandbox: required does not start in this engine, for want of " + strings.Join(missing, ", ") + "."
	case len(rest) > 0:
		return "All that sandbox: required needs holds in containers. Not enforced: " + strings.Join(rest, ", ") + "."
	}
	return "All that sandbox: required needs holds in containers."
}

// sentence is a hint as a sentence.
func sentence(hint string) string {
	if hint == "" {
		return ""
	}
	return strings.ToUpper(hint[:1]) + hint[1:] + "."
}

func either(text, standard string) string {
	if text == "" {
		return standard
	}
	return text
}
