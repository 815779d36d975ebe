package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairlead/fairlead/api/client"
)

type secretPath struct {
	Env  string `path:"env"`
	Name string `path:"name"`
}

func (s *server) registerSecrets(api huma.API) {
	register(api, http.MethodGet, "/v1/secrets/{env}", "listSecrets", "Versions of an environment's secrets",
		func(ctx context.Context, in *struct {
			Env string `path:"env"`
		}) ([]client.Secret, error) {
			return s.Secrets.List(ctx, in.Env)
		})
	register(api, http.MethodPut, "/v1/secrets/{env}/{name}", "setSecret", "Store a new version of a secret",
		func(ctx context.Context, in *struct {
			Env  string `path:"env"`
			Name string `path:"name"`
			Body client.SecretValue
		}) (client.Secret, error) {
			return s.Secrets.Set(ctx, in.Env, in.Name, in.Body, principal(ctx))
		})
	register(api, http.MethodDelete, "/v1/secrets/{env}/{name}", "removeSecret", "Destroy all versions of a secret",
		func(ctx context.Context, in *secretPath) (done, error) {
			return done{}, s.Secrets.Remove(ctx, in.Env, in.Name, principal(ctx))
		})
}
