package server

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/quantity"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/store/sqlite"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/container"
	"github.com/fairlead/fairlead/workload/volume"
)

// volumeRow is the kind of the row of a volume, keyed by its id.
const volumeRow = "volume"

// volumeRecord is the value of that row: a volume as it was declared newest.
type volumeRecord struct {
	fairlead.Volume
	Release int  `json:"release"`        // that declared it so
	Over    bool `json:"over,omitempty"` // it holds more than its size
}

// volumes are the volumes of this machine: made where a release that names them
// starts, measured, and kept until somebody removes them. It is safe for concurrent
// use, and must not be copied.
type volumes struct {
	store     *sqlite.Store
	dirs      *volume.Dir
	now       func() time.Time
	log       *slog.Logger
	release   func(ctx context.Context, app string, number int) (fairlead.Release, error)
	sites     func() []rollout.State
	instances func(ctx context.Context) ([]workload.Status, error)

	fresh  chan struct{} // has room for one: volumes may be new, and are to be measured
	making sync.Mutex    // held while directories or records change

	mu   sync.Mutex
	seen map[part]measured
}

// part is what a volume holds of one release, or with volume.Shared of all.
type part struct {
	volume.ID
	release int
}

// partOf names what a release has of a volume.
func partOf(site fairlead.Site, release int, v fairlead.Volume) part {
	id := volume.ID{Env: site.Env, App: site.App, Name: v.Name}
	if v.Fresh {
		return part{id, release}
	}
	return part{id, volume.Shared}
}

func (p paths) volumes() string { return filepath.Join(p.state, "volumes") }

// openVolumes opens the volumes of the state directory. What they ask of the releases
// and the engine they ask when it is there.
func (s *control) openVolumes() (*volumes, error) {
	dirs, err := volume.Open(s.paths.volumes())
	if err != nil {
		return nil, err
	}
	return &volumes{
		store: s.store, dirs: dirs, now: s.clock.Now, log: s.Log, release: s.releases.Get,
		sites: func() []rollout.State { return s.engine.Sites() }, instances: s.runtime.List, fresh: make(chan struct{}, 1), seen: map[part]measured{},
	}, nil
}

// prepare makes the volumes of a release in an environment, unless they are there, and
// returns them as its instances get them.
func (v *volumes) prepare(ctx context.Context, r fairlead.Release, env string, image *workload.Image) ([]workload.Volume, error) {
	if len(r.Content.Volumes) == 0 {
		return nil, nil
	}
	v.making.Lock()
	defer v.making.Unlock()
	site := fairlead.Site{App: r.App, Env: env}
	owner := ownerOf(site, image, r.Content.Loosen)
	var all []workload.Volume
	for _, declared := range r.Content.Volumes {
		p := partOf(site, r.Number, declared)
		if err := v.declare(ctx, p.ID, declared, r.Number); err != nil {
			return nil, err
		}
		source, err := v.dirs.Make(p.ID, p.release, owner)
		if err != nil {
			return nil, err
		}
		size, _ := quantity.ParseBytes(declared.Size) // the file was checked
		all = append(all, workload.Volume{Name: declared.Name, Source: source, Path: declared.Path, Size: size})
	}
	select {
	case v.fresh <- struct{}{}:
	default: // they are to be measured already
	}
	return all, nil
}

// ownerOf returns who the instances of a site run as.
func ownerOf(site fairlead.Site, image *workload.Image, loosen *fairlead.Loosen) volume.Owner {
	if image != nil {
		user := container.UserOf(image.User, site.String(), loosen, os.Geteuid())
		return volume.Owner{UID: user.UID, GID: user.GID}
	}
	if os.Geteuid() != 0 {
		return volume.Owner{UID: os.Geteuid(), GID: os.Getegid()}
	}
	user := workload.TenantUser(site.String())
	return volume.Owner{UID: user, GID: user}
}

// declare records a volume as a release declares it, unless that is recorded.
func (v *volumes) declare(ctx context.Context, id volume.ID, declared fairlead.Volume, number int) error {
	before, known, err := v.recorded(ctx, id)
	if err != nil || known && before.Volume == declared {
		return err
	}
	after := volumeRecord{Volume: declared, Release: number, Over: before.Over}
	text := fmt.Sprintf("volume %s of %s is made; the app sees it at %s", id.Name, declared.Size, declared.Path)
	if known {
		text = fmt.Sprintf("volume %s is now of %s; the app sees it at %s", id.Name, declared.Size, declared.Path)
	}
	return v.record(ctx, "volume.declared", self, id, after, map[string]any{"text": text, "volume": declared, "release": fmt.Sprintf("%s@%d", id.App, number)})
}

// ofSite names a volume for people.
func ofSite(id volume.ID) string {
	return fmt.Sprintf("volume %s of %s in %s", id.Name, id.App, id.Env)
}

// recorded returns the record of a volume, if there is one.
func (v *volumes) recorded(ctx context.Context, id volume.ID) (volumeRecord, bool, error) {
	row, ok, err := v.store.Row(ctx, volumeRow, id.String())
	if err != nil || !ok {
		return volumeRecord{}, false, err
	}
	r, err := decodeVolume(row)
	return r, true, err
}

func decodeVolume(row fairlead.Row) (r volumeRecord, err error) {
	if err := json.Unmarshal(row.Value, &r); err != nil {
		return r, fairlead.Errorf(fairlead.Corrupt, "read volume "+row.Key, "%w", err).WithHint("run: fairlead ledger verify")
	}
	return r, nil
}

// record commits an entry about a volume that makes its row r.
func (v *volumes) record(ctx context.Context, kind string, by fairlead.Sealed, id volume.ID, r volumeRecord, data map[string]any) error {
	value, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode volume %s: %w", id, err)
	}
	return v.commit(ctx, kind, by, id, data, value)
}

// commit commits an entry about a volume. A value of nil removes its row.
func (v *volumes) commit(ctx context.Context, kind string, by fairlead.Sealed, id volume.ID, data map[string]any, value []byte) error {
	row := fairlead.Row{Kind: volumeRow, Key: id.String(), Value: value}
	return recordAt(ctx, v.store, fairlead.Site{App: id.App, Env: id.Env}, v.now().UTC(), kind, by, data, row)
}

// all returns the records of all volumes by id.
func (v *volumes) all(ctx context.Context) (map[volume.ID]volumeRecord, error) {
	rows, err := v.store.Rows(ctx, volumeRow, "")
	if err != nil {
		return nil, err
	}
	records := map[volume.ID]volumeRecord{}
	for _, row := range rows {
		id, ok := volume.ParseID(row.Key)
		if !ok {
			return nil, fairlead.Errorf(fairlead.Corrupt, "read volumes", "%q names no volume", row.Key).WithHint("run: fairlead ledger verify")
		}
		if records[id], err = decodeVolume(row); err != nil {
			return nil, err
		}
	}
	return records, nil
}

// live returns the numbers of the releases of each site that are running, or may be at
// any time without anybody asking for it.
func (v *volumes) live(ctx context.Context) (map[fairlead.Site][]int, error) {
	instances, err := v.instances(ctx)
	if err != nil {
		return nil, err
	}
	live := map[fairlead.Site][]int{}
	add := func(site fairlead.Site, numbers ...int) {
		for _, n := range numbers {
			if n > 0 && !slices.Contains(live[site], n) {
				live[site] = append(live[site], n)
			}
		}
	}
	for _, i := range instances {
		if !i.State.Over() {
			add(i.Site, i.Release)
		}
	}
	for _, state := range v.sites() {
		add(state.Live.Site, state.Live.Stable)
		if r := state.Rollout; r != nil && r.Phase != rollout.Ended {
			add(state.Live.Site, r.From, r.To)
		}
	}
	return live, nil
}

// users returns the releases that are live and name a volume, such as "triage@3".
func (v *volumes) users(ctx context.Context, live map[fairlead.Site][]int, id volume.ID) ([]string, error) {
	var users []string
	for _, number := range live[fairlead.Site{App: id.App, Env: id.Env}] {
		r, err := v.release(ctx, id.App, number)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(r.Content.Volumes, func(d fairlead.Volume) bool { return d.Name == id.Name }) {
			users = append(users, r.Name())
		}
	}
	slices.Sort(users)
	return users, nil
}
