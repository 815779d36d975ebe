package container

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/moby/moby/client"

	"github.com/fairlead/fairlead"
)

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
	began := time.Now()
	failed := sweepOutlets(root, began)
	for _, host := range hosts {
		if err := sweepEngine(ctx, host, root, owner, began); err != nil {
			failed = errors.Join(failed, fairlead.Errorf(fairlead.CodeOf(err), "look for what is left in "+host, "%w", err))
		}
	}
	return failed
}

func sweepEngine(ctx context.Context, host, root, owner string, began time.Time) error {
	engine, err := Open(ctx, host)
	if err != nil {
		return err
	}
	defer engine.Close()
	o := owned{engine: engine, root: root, owner: owner}
	if err := o.sweepContainers(ctx, began); err != nil {
		return err
	}
	return o.sweepNetworks(ctx)
}

// sweepContainers removes the containers that no directory of root explains. began is
// when the look for them did.
func (o owned) sweepContainers(ctx context.Context, began time.Time) error {
	ours := client.Filters{}.Add("label", LabelOwner+"="+o.owner)
	found, err := o.engine.api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: ours})
	if err != nil {
		return err
	}
	for _, c := range found.Items {
		if c.Labels[LabelHome] == "" && c.Created >= began.Unix() {
			continue // an image is being read
		}
		if c.Labels[LabelOwner] == o.owner && !explained(o.root, c.Labels[LabelHome]) {
			if err := o.engine.removeID(ctx, c.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// sweepNetworks removes the networks that no container is in.
func (o owned) sweepNetworks(ctx context.Context) error {
	all, err := o.engine.networks(ctx)
	if err != nil {
		return err
	}
	for _, n := range all {
		if n.Labels[LabelOwner] == o.owner {
			if err := o.dropNetwork(ctx, n.Name); err != nil {
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
