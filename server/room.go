package server

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/quantity"
	"github.com/fairlead/fairlead/release"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/room"
)

// rooms says what this machine has, what is promised of it, and whether a rollout has
// room. It keeps nothing: what is promised follows from the sites and their releases.
type rooms struct {
	engine   *rollout.Engine
	releases *release.Maker
	list     func(ctx context.Context) ([]workload.Status, error)
	look     func(ctx context.Context) (room.Machine, error)
	used     func(site fairlead.Site, release int, v fairlead.Volume) int64 // bytes that a volume holds
	place    func() room.Place                                              // nil where devices are not known
}

func (s *control) newRooms() *rooms {
	return &rooms{
		engine: s.engine, releases: s.releases, list: s.runtime.List,
		look: func(ctx context.Context) (room.Machine, error) {
			return room.Look(os.DirFS("/"), s.State, s.images.DataRoot(ctx))
		},
		used: s.volumes.used, place: s.devices.place,
	}
}

// needs reads what instances of releases ask for, each release once.
type needs struct {
	releases *release.Maker
	known    map[string]room.Need
}

func (n needs) of(ctx context.Context, app string, number int) (room.Need, error) {
	name := fmt.Sprintf("%s@%d", app, number)
	if need, ok := n.known[name]; ok {
		return need, nil
	}
	r, err := n.releases.Get(ctx, app, number)
	if err != nil {
		return room.Need{}, err
	}
	need, err := needOf(r.Content.Resources)
	n.known[name] = need
	return need, err
}

func needOf(r fairlead.Resources) (room.Need, error) {
	limits, err := workload.LimitsOf(r)
	return room.Need{MilliCPU: limits.MilliCPU, Memory: limits.Memory, GPU: r.GPU}, err
}

// stage is what a site runs at one time, by release.
func (n needs) stage(ctx context.Context, site fairlead.Site, want rollout.Want) (room.Stage, error) {
	var stage room.Stage
	for _, number := range slices.Sorted(maps.Keys(want)) {
		if want[number] == 0 {
			continue
		}
		each, err := n.of(ctx, site.App, number)
		if err != nil {
			return nil, err
		}
		stage = append(stage, room.Part{Site: site, Release: number, Count: want[number], Each: each})
	}
	return stage, nil
}

// plan is what a site runs now and in the stages to come.
func (n needs) plan(ctx context.Context, site fairlead.Site, stages []rollout.Want) (room.Plan, error) {
	plan := room.Plan{Site: site}
	for _, want := range stages {
		stage, err := n.stage(ctx, site, want)
		if err != nil {
			return plan, err
		}
		plan.Stages = append(plan.Stages, stage)
	}
	return plan, nil
}

// promised is all that is taken of a machine.
type promised struct {
	machine room.Machine
	plans   []room.Plan
	running map[fairlead.Site]rollout.Want
	needs   needs
}

// promised looks at the machine and at every site.
func (r *rooms) promised(ctx context.Context) (p promised, err error) {
	p.needs = needs{releases: r.releases, known: map[string]room.Need{}}
	if p.machine, err = r.look(ctx); err != nil {
		return p, err
	}
	instances, err := r.list(ctx)
	if err != nil {
		return p, err
	}
	p.running = map[fairlead.Site]rollout.Want{}
	for _, i := range instances {
		if !i.State.Over() {
			if p.running[i.Site] == nil {
				p.running[i.Site] = rollout.Want{}
			}
			p.running[i.Site][i.Release]++
		}
	}
	for _, state := range r.engine.Sites() {
		site := state.Live.Site
		stages := append([]rollout.Want{p.running[site]}, rollout.Stages(state.Live, state.Rollout)...)
		plan, err := p.needs.plan(ctx, site, stages)
		if err != nil {
			return p, err
		}
		if plan.Volumes, err = r.volumes(ctx, state.Live); err != nil {
			return p, err
		}
		p.plans = append(p.plans, plan)
	}
	return p, nil
}

// volumes returns what the live release of a site declares.
func (r *rooms) volumes(ctx context.Context, live rollout.Live) ([]room.Volume, error) {
	if live.Stable == 0 {
		return nil, nil
	}
	rel, err := r.releases.Get(ctx, live.Site.App, live.Stable)
	if err != nil {
		return nil, err
	}
	var all []room.Volume
	for _, v := range rel.Content.Volumes {
		size, _ := quantity.ParseBytes(v.Size) // as the file was checked
		all = append(all, room.Volume{Name: v.Name, Size: size, Used: r.used(live.Site, live.Stable, v)})
	}
	return all, nil
}

// wish is a rollout that is wanted, and what its instances ask for.
type wish struct {
	rollout.Beginning
	resources fairlead.Resources
	volumes   []fairlead.Volume
}

// fit says whether a wish has room beside all that is promised.
func (r *rooms) fit(ctx context.Context, p promised, w wish) (room.Answer, error) {
	live := r.engine.Live(w.Site)
	each, err := needOf(w.resources)
	if err != nil {
		return room.Answer{}, err
	}
	p.needs.known[fmt.Sprintf("%s@%d", w.Site.App, w.Release)] = each
	plan, err := p.needs.plan(ctx, w.Site, rollout.StagesOf(w.Beginning, live))
	if err != nil {
		return room.Answer{}, err
	}
	ask := room.Ask{Plan: plan, Release: w.Release}
	if ask.Now, err = p.needs.stage(ctx, w.Site, p.running[w.Site]); err != nil {
		return room.Answer{}, err
	}
	if plan.Volumes, err = r.volumes(ctx, live); err != nil {
		return room.Answer{}, err
	}
	ask.Volumes, ask.Storage = plan.Volumes, undeclared(plan.Volumes, w.volumes)
	if r.place != nil {
		ask.Place = r.place()
	}
	return room.Fit(p.machine, p.plans, ask), nil
}

// undeclared returns the bytes of volumes that a site has not declared before.
func undeclared(before []room.Volume, volumes []fairlead.Volume) (bytes int64) {
	for _, v := range volumes {
		size, _ := quantity.ParseBytes(v.Size)
		for _, b := range before {
			if b.Name == v.Name && !v.Fresh {
				size -= b.Size
			}
		}
		bytes += max(0, size)
	}
	return bytes
}

// admit refuses a rollout that has no room. One that brings a release back is begun in
// place of what runs where it has no room beside it.
func (r *rooms) admit(ctx context.Context, w wish) (rollout.Beginning, error) {
	p, err := r.promised(ctx)
	if err != nil {
		return w.Beginning, err
	}
	answer, err := r.fit(ctx, p, w)
	if err != nil || answer.Fits {
		return w.Beginning, err
	}
	if w.Kind == rollout.Back {
		inPlace := w
		inPlace.InPlace = true
		if a, err := r.fit(ctx, p, inPlace); err != nil || a.Fits {
			return inPlace.Beginning, err
		}
	}
	return w.Beginning, r.refusal(ctx, p, w, answer)
}

// possible refuses what has no room even in place of what runs at its site: then no
// release need be made to find it out.
func (r *rooms) possible(ctx context.Context, w wish) error {
	p, err := r.promised(ctx)
	if err != nil {
		return err
	}
	answer, err := r.fit(ctx, p, replaced(w))
	if err != nil || answer.Fits {
		return err
	}
	return r.refusal(ctx, p, w, answer)
}

// replaced is w in place of what runs.
func replaced(w wish) wish {
	w.Environment.Strategy.Type, w.Environment.Strategy.Shrink = fairlead.Replace, false
	w.Environment.Strategy.Holdback, w.Environment.Strategy.Mirror = nil, nil
	return w
}

// refusal is the error of a wish without room: the arithmetic, and what would fit.
func (r *rooms) refusal(ctx context.Context, p promised, w wish, answer room.Answer) error {
	name := w.Site.App
	if w.Release != room.NotMade {
		name = fmt.Sprintf("%s@%d", name, w.Release)
	}
	offers, err := r.offers(ctx, p, w)
	if err != nil {
		return err
	}
	refused := fairlead.Errorf(fairlead.Conflict, fmt.Sprintf("bring %s to %s", name, w.Site.Env), "this machine has no room for it: %s", answer.Why())
	if len(offers) == 0 {
		return refused.WithHint("ask for less under spec.resources, or end another app; what takes the room: fairlead room")
	}
	return refused.WithHint("it fits with %s; what takes the room: fairlead room", strings.Join(offers, ", or with "))
}

// offers returns what of the file could be otherwise so that a wish fits, each of it
// computed.
func (r *rooms) offers(ctx context.Context, p promised, w wish) ([]string, error) {
	var offers []string
	for _, way := range ways(w, r.engine.Live(w.Site)) {
		answer, err := r.fit(ctx, p, way.wish)
		if err != nil {
			return nil, err
		}
		if answer.Fits {
			offers = append(offers, way.text)
		}
	}
	for n := w.Environment.Replicas - 1; n > 0; n-- {
		fewer := w
		fewer.Environment.Replicas = n
		answer, err := r.fit(ctx, p, fewer)
		if err != nil {
			return nil, err
		}
		if answer.Fits {
			return append(offers, fmt.Sprintf("replicas: %d", n)), nil
		}
	}
	return offers, nil
}

// way is another strategy for a wish.
type way struct {
	wish
	text string
}

// ways returns the strategies that want less room than the file's, where there is an
// old release to make it.
func ways(w wish, live rollout.Live) []way {
	if live.Stable == 0 || live.Stable == w.Release {
		return nil
	}
	var all []way
	s := w.Environment.Strategy
	if kind := cmp.Or(s.Type, fairlead.Canary); !s.Shrink && max(live.Replicas, w.Environment.Replicas) > 1 && (kind == fairlead.Canary || kind == fairlead.BlueGreen) {
		shrunk := w
		shrunk.Environment.Strategy.Shrink = true
		all = append(all, way{shrunk, "strategy: {shrink: true} (the old release gives up instances for the new one's)"})
	}
	if s.Type != fairlead.Replace {
		all = append(all, way{replaced(w), "strategy: {type: replace} (the old instances end first; requests wait meanwhile)"})
	}
	return all
}
