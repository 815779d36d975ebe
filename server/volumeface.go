package server

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/internal/figures"
	"github.com/fairlead/fairlead/internal/quantity"
	"github.com/fairlead/fairlead/workload/volume"
)

// List returns all volumes: those that are recorded, and those that only have a
// directory, as after the ledger was restored from a backup.
func (v *volumes) List(ctx context.Context) ([]client.Volume, error) {
	records, err := v.all(ctx)
	if err != nil {
		return nil, err
	}
	ids, err := v.dirs.All()
	if err != nil {
		return nil, err
	}
	for id := range records {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	live, err := v.live(ctx)
	if err != nil {
		return nil, err
	}
	list := []client.Volume{}
	for _, id := range ids {
		parts, err := v.view(ctx, live, id, records[id])
		if err != nil {
			return nil, err
		}
		list = append(list, parts...)
	}
	slices.SortFunc(list, func(a, b client.Volume) int {
		return cmp.Or(strings.Compare(a.App, b.App), strings.Compare(a.Env, b.Env), strings.Compare(a.Name, b.Name), a.Release-b.Release)
	})
	return list, nil
}

// Over returns the volumes of a site that hold more than their size.
func (v *volumes) Over(ctx context.Context, site fairlead.Site) ([]client.Volume, error) {
	rows, err := v.store.Rows(ctx, volumeRow, volume.ID{Env: site.Env, App: site.App}.String()+"/")
	if err != nil {
		return nil, err
	}
	var all []client.Volume
	for _, row := range rows {
		r, err := decodeVolume(row)
		if err != nil {
			return nil, err
		}
		if !r.Over {
			continue
		}
		size, _ := quantity.ParseBytes(r.Size)
		held := v.largest(volume.ID{Env: site.Env, App: site.App, Name: r.Name})
		all = append(all, client.Volume{
			App: site.App, Env: site.Env, Name: r.Name, Path: r.Path, Size: size, Used: held.bytes, Measured: held.at, Over: true, Shared: r.Shared,
		})
	}
	return all, nil
}

// view returns the parts of one volume.
func (v *volumes) view(ctx context.Context, live map[fairlead.Site][]int, id volume.ID, r volumeRecord) ([]client.Volume, error) {
	users, err := v.users(ctx, live, id)
	if err != nil {
		return nil, err
	}
	releases, err := v.dirs.Releases(id)
	if err != nil {
		return nil, err
	}
	if held := v.held(part{id, volume.Shared}); !r.Fresh || held.bytes > 0 {
		releases = append(releases, volume.Shared)
	}
	size, _ := quantity.ParseBytes(r.Size)
	var parts []client.Volume
	for _, release := range releases {
		held := v.held(part{id, release})
		one := client.Volume{
			App: id.App, Env: id.Env, Name: id.Name, Release: release, Path: r.Path, Size: size,
			Used: held.bytes, Measured: held.at, Over: size > 0 && over(r.Over, held.bytes, size), Shared: r.Shared,
		}
		for _, user := range users {
			if release == volume.Shared || user == fmt.Sprintf("%s@%d", id.App, release) {
				one.Users = append(one.Users, user)
			}
		}
		parts = append(parts, one)
	}
	return parts, nil
}

// held returns what a part held when it was measured last.
func (v *volumes) held(p part) measured {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.seen[p]
}

// largest returns what the fullest part of a volume held when it was measured last.
func (v *volumes) largest(id volume.ID) (most measured) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for p, held := range v.seen {
		if p.ID == id && held.bytes >= most.bytes {
			most = held
		}
	}
	return most
}

// Remove destroys a volume that no live release names. It is recorded before: what a
// crash leaves of it is listed, and can be removed again.
func (v *volumes) Remove(ctx context.Context, site fairlead.Site, name string, by fairlead.Principal) error {
	id := volume.ID{Env: site.Env, App: site.App, Name: name}
	op := "remove " + ofSite(id)
	if !by.May(fairlead.Admin) {
		return fairlead.Errorf(fairlead.Forbidden, op, "this needs the role %s", fairlead.Admin)
	}
	v.making.Lock()
	defer v.making.Unlock()
	if err := v.removable(ctx, op, id); err != nil {
		return err
	}
	var bytes int64
	releases, err := v.dirs.Releases(id)
	if err != nil {
		return err
	}
	for _, release := range append(releases, volume.Shared) {
		bytes += v.held(part{id, release}).bytes
	}
	text := "volume " + id.Name + " is removed"
	if bytes > 0 {
		text += fmt.Sprintf(", with the %s that it held", figures.Bytes(bytes))
	}
	if err := v.commit(ctx, "volume.removed", by.ID, id, map[string]any{"text": text, "bytes": bytes}, nil); err != nil {
		return err
	}
	v.mu.Lock()
	for p := range v.seen {
		if p.ID == id {
			delete(v.seen, p)
		}
	}
	v.mu.Unlock()
	return v.dirs.Remove(id)
}

// removable refuses a volume that is not there or that a live release names.
func (v *volumes) removable(ctx context.Context, op string, id volume.ID) error {
	_, recorded, err := v.recorded(ctx, id)
	if err != nil {
		return err
	}
	ids, err := v.dirs.All()
	if err != nil {
		return err
	}
	if !recorded && !slices.Contains(ids, id) {
		return fairlead.Errorf(fairlead.NotFound, op, "there is none").WithHint("see which there are with: fairlead volume ls")
	}
	live, err := v.live(ctx)
	if err != nil {
		return err
	}
	users, err := v.users(ctx, live, id)
	if err != nil || len(users) == 0 {
		return err
	}
	has := "which is live there, has it"
	if len(users) > 1 {
		has = "which are live there, have it"
	}
	return fairlead.Errorf(fairlead.Conflict, op, "%s, %s", strings.Join(users, " and "), has).
		WithHint("first release without it under spec.volumes")
}
