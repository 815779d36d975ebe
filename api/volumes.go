package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

// Volumes are the storage of apps. Only an administrator removes one.
type Volumes interface {
	List(ctx context.Context) ([]client.Volume, error)
	// Over returns the volumes of a site that hold more than their size.
	Over(ctx context.Context, site fairlead.Site) ([]client.Volume, error)
	Remove(ctx context.Context, site fairlead.Site, name string, by fairlead.Principal) error
}

func registerVolumes(api huma.API, volumes Volumes) {
	register(api, http.MethodGet, "/v1/volumes", "listVolumes", "Volumes of all apps, and what they hold",
		func(ctx context.Context, _ *struct{}) ([]client.Volume, error) { return volumes.List(ctx) })
	register(api, http.MethodDelete, "/v1/volumes/{env}/{app}/{name}", "removeVolume", "Destroy a volume with all that it holds",
		func(ctx context.Context, in *struct {
			Env  string `path:"env"`
			App  string `path:"app"`
			Name string `path:"name"`
		}) (done, error) {
			return done{}, volumes.Remove(ctx, fairlead.Site{App: in.App, Env: in.Env}, in.Name, principal(ctx))
		})
}
