package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

// Links open the console, each once and within a short time, for who asks for one.
type Links interface {
	Link(ctx context.Context, n client.NewLink, by fairlead.Principal) (client.Link, error)
	// EndAll ends every session that links have opened, and returns how many.
	EndAll(ctx context.Context, by fairlead.Principal) (int, error)
}

func (s *server) registerLinks(api huma.API) {
	register(api, http.MethodPost, "/v1/console/links", "createConsoleLink", "Make a link that opens the console once",
		func(ctx context.Context, in *struct{ Body client.NewLink }) (client.Link, error) {
			return s.Links.Link(ctx, in.Body, principal(ctx))
		})
	register(api, http.MethodDelete, "/v1/console/sessions", "endConsoleSessions", "End every session of the console",
		func(ctx context.Context, _ *struct{}) (client.EndedSessions, error) {
			n, err := s.Links.EndAll(ctx, principal(ctx))
			return client.EndedSessions{Ended: n}, err
		})
}
