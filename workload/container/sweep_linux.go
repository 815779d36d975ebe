package container

import (
	"bufio"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/moby/client"

	"github.com/fairlead/fairlead"
)

// enginesPath is the file that lists, a line each, the engines in which an installation
// ever made anything.
func enginesPath(root string) string { return filepath.Join(root, "engines") }

// rememberEngine notes an engine before anything is made in it.
func rememberEngine(root, host string) error {
	known, err := rememberedEngines(root)
	if err != nil || slices.Contains(known, host) {
		return err
	}
	file, err := os.OpenFile(enginesPath(root), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(host + "\n")
	return errors.Join(err, file.Sync(), file.Close())
}

func rememberedEngines(root string) ([]string, error) {
	file, err := os.Open(enginesPath(root))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var hosts []string
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if host := strings.TrimSpace(lines.Text()); host != "" && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return hosts, lines.Err()
}

// Sweep removes from every engine that the installation over root used what no
// directory of root explains: containers whose home is gone, and networks without
// containers. An engine that does not answer is an error beside the others; what is in
// it is removed by a later sweep.
func (Containers) Sweep(ctx context.Context, root string) error {
	hosts, err := rememberedEngines(root)
	if err != nil || len(hosts) == 0 {
		return err
	}
	owner, err := Owner(root)
	if err != nil {
		return err
	}
	var failed error
	for _, host := range hosts {
		if err := sweepEngine(ctx, host, root, owner); err != nil {
			failed = errors.Join(failed, fairlead.Errorf(fairlead.CodeOf(err), "look for what is left in "+host, "%w", err))
		}
	}
	return failed
}

func sweepEngine(ctx context.Context, host, root, owner string) error {
	engine, err := Open(ctx, host)
	if err != nil {
		return err
	}
	defer engine.Close()
	ours := client.Filters{}.Add("label", LabelOwner+"="+owner)
	found, err := engine.api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: ours})
	if err != nil {
		return err
	}
	for _, c := range found.Items {
		if c.Labels[LabelOwner] == owner && !explained(root, c.Labels[LabelHome]) {
			if err := engine.removeID(ctx, c.ID); err != nil {
				return err
			}
		}
	}
	all, err := engine.networks(ctx)
	if err != nil {
		return err
	}
	for _, n := range all {
		if n.Labels[LabelOwner] == owner {
			if err := engine.dropNetwork(ctx, root, n.Name, owner); err != nil {
				return err
			}
		}
	}
	return nil
}

// explained reports whether the home that a container says it has is there: it is
// cleared with that. A label that names no home of a runtime explains nothing.
func explained(root, home string) bool {
	kind, id, _ := strings.Cut(home, "/")
	if (kind != "instances" && kind != "jobs") || id == "" || strings.ContainsAny(id, "/.") {
		return false
	}
	_, err := os.Stat(notePath(filepath.Join(root, kind, id)))
	return !errors.Is(err, fs.ErrNotExist)
}
