package container

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead"
)

// networkName is the name of the network of a site's instances in an engine.
func networkName(owner string, site fairlead.Site) string {
	return fmt.Sprintf("fairlead-%s.%s.%s", owner[:8], site.App, site.Env)
}

// networkLock makes that of a root no network is made twice, or removed while an
// instance is about to use it. Closing the file gives the lock up.
func networkLock(ctx context.Context, root string, how int) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(root, "networks.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(file.Fd()), how|unix.LOCK_NB)
		if err == nil {
			return file, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, errors.Join(err, file.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), file.Close())
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// holdNetwork makes a network if it is not there, for containers with the labels of
// one, and keeps it from being removed until the lock is closed. No name is no network.
func (o owned) holdNetwork(ctx context.Context, name string, of map[string]string) (*os.File, error) {
	for how := unix.LOCK_SH; ; how = unix.LOCK_EX {
		lock, err := networkLock(ctx, o.root, how)
		if err != nil || name == "" {
			return lock, err
		}
		there, err := o.hasNetwork(ctx, name)
		if err == nil && !there && how == unix.LOCK_EX {
			err = o.makeNetwork(ctx, name, of)
			there = err == nil
		}
		if err != nil {
			return nil, errors.Join(err, lock.Close())
		}
		if there {
			return lock, nil
		}
		lock.Close()
	}
}

// hasNetwork reports whether a network of this installation is there. One of the name
// that somebody else made is code conflict, and left alone.
func (o owned) hasNetwork(ctx context.Context, name string) (bool, error) {
	all, err := o.engine.networks(ctx)
	if err != nil {
		return false, err
	}
	for _, n := range all {
		if n.Name != name {
			continue
		}
		if n.Labels[LabelOwner] != o.owner {
			return false, fairlead.Errorf(fairlead.Conflict, "", "the engine has a network called %s that is not this installation's", name).WithHint("remove or rename it; it was not touched")
		}
		return true, nil
	}
	return false, nil
}

// networkFound is what an engine says of a network.
type networkFound struct {
	Name   string
	Labels map[string]string
}

// networks lists all networks of an engine. It reads the answer itself: the client's
// types do not take the addresses that Podman writes for a network without any.
func (e *Engine) networks(ctx context.Context) ([]networkFound, error) {
	answer, err := e.ask(ctx, http.MethodGet, "/networks", nil)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the engine answers %s to a question for its networks", answer.Status)
	}
	var all []networkFound
	return all, json.NewDecoder(io.LimitReader(answer.Body, 16<<20)).Decode(&all)
}

// makeNetwork makes a network that leads nowhere: neither to other networks nor, where
// the engine can do that, to this machine. The caller holds the lock.
func (o owned) makeNetwork(ctx context.Context, name string, of map[string]string) error {
	options := client.NetworkCreateOptions{
		Driver: "bridge", Internal: true,
		Labels: map[string]string{LabelOwner: o.owner, LabelApp: of[LabelApp], LabelEnvironment: of[LabelEnvironment]},
	}
	if os.Getuid() == 0 && !o.engine.Podman() {
		options.Options = map[string]string{"com.docker.network.bridge.inhibit_ipv4": "true"} // the machine has no address on it
	}
	patient, cancel := context.WithTimeout(context.WithoutCancel(ctx), createPatience) // see createContainer
	defer cancel()
	_, err := o.engine.api.NetworkCreate(patient, name, options)
	if err != nil && !errdefs.IsConflict(err) {
		return refused("make the network "+name, "", err)
	}
	return nil
}

// dropNetwork removes a network in which no container is any more, running or not.
func (o owned) dropNetwork(ctx context.Context, name string) error {
	lock, err := networkLock(ctx, o.root, unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer lock.Close()
	ours, err := o.hasNetwork(ctx, name)
	if err != nil || !ours {
		return ignoreConflict(err)
	}
	left, err := o.engine.api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: client.Filters{}.Add("network", name)})
	if err != nil || len(left.Items) > 0 {
		return err
	}
	_, err = o.engine.api.NetworkRemove(ctx, name, client.NetworkRemoveOptions{})
	if gone(err) || errdefs.IsConflict(err) || errdefs.IsPermissionDenied(err) { // somebody else's container is in it
		return nil
	}
	return err
}

func ignoreConflict(err error) error {
	if fairlead.CodeOf(err) == fairlead.Conflict {
		return nil
	}
	return err
}
