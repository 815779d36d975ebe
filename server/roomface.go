package server

import (
	"context"
	"maps"
	"slices"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/workload/room"
)

// Room implements api.Room.
func (r *rooms) Room(ctx context.Context) (client.Room, error) {
	p, err := r.promised(ctx)
	if err != nil {
		return client.Room{}, err
	}
	sum := room.Sum(p.machine, p.plans)
	view := client.Room{
		CPU: client.Account(sum.CPU), Memory: client.Account(sum.Memory), Storage: client.Account(sum.Storage),
		MilliCPU: p.machine.MilliCPU, Bounded: p.machine.Bounded, State: p.machine.State.Path, Taken: []client.RoomPart{},
		Unlimited: room.Unlimited(p.plans),
	}
	if disk := p.machine.Engine; disk != nil {
		view.Images = &client.RoomDisk{Path: disk.Path, Size: disk.Size, Free: disk.Free}
	}
	for _, plan := range p.plans {
		parts, err := r.parts(ctx, p, plan)
		if err != nil {
			return view, err
		}
		view.Taken = append(view.Taken, parts...)
	}
	return view, nil
}

// parts shows what each release of a site takes.
func (r *rooms) parts(ctx context.Context, p promised, plan room.Plan) ([]client.RoomPart, error) {
	most := map[int]room.Part{}
	for _, stage := range plan.Stages {
		for _, part := range stage {
			if part.Count > most[part.Release].Count {
				most[part.Release] = part
			}
		}
	}
	var parts []client.RoomPart
	for _, number := range slices.Sorted(maps.Keys(most)) {
		part := most[number]
		view := client.RoomPart{
			App: part.Site.App, Env: part.Site.Env, Release: number, Running: p.running[part.Site][number], Most: part.Count,
			MilliCPU: part.Each.MilliCPU, Memory: part.Each.Memory,
		}
		if part.Each.GPU != nil {
			view.GPU = room.GPUText(*part.Each.GPU)
		}
		release, err := r.releases.Get(ctx, part.Site.App, number)
		if err != nil {
			return nil, err
		}
		if release.Content.Image != nil {
			view.ImageSize = release.Content.Image.Bytes
		}
		if number == r.engine.Live(part.Site).Stable {
			for _, v := range plan.Volumes {
				view.Volumes = append(view.Volumes, client.RoomVolume(v))
			}
		}
		parts = append(parts, view)
	}
	return parts, nil
}
