package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

// Tokens are those that programs act by. Only an administrator makes, lists and
// revokes them; a token itself is told once, when it is made.
type Tokens interface {
	Create(ctx context.Context, t client.NewToken, by fairlead.Principal) (client.MadeToken, error)
	List(ctx context.Context, by fairlead.Principal) ([]client.Token, error)
	Revoke(ctx context.Context, name string, by fairlead.Principal) error
}

func (s *server) registerTokens(api huma.API) {
	register(api, http.MethodPost, "/v1/tokens", "createToken", "Make a token for a program",
		func(ctx context.Context, in *struct{ Body client.NewToken }) (client.MadeToken, error) {
			return s.Tokens.Create(ctx, in.Body, principal(ctx))
		})
	register(api, http.MethodGet, "/v1/tokens", "listTokens", "Tokens of programs, without the tokens themselves",
		func(ctx context.Context, _ *struct{}) ([]client.Token, error) {
			return s.Tokens.List(ctx, principal(ctx))
		})
	register(api, http.MethodDelete, "/v1/tokens/{name}", "revokeToken", "Revoke a token",
		func(ctx context.Context, in *struct {
			Name string `path:"name"`
		}) (done, error) {
			return done{}, s.Tokens.Revoke(ctx, in.Name, principal(ctx))
		})
}
