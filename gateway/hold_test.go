package gateway_test

import (
	"testing"

	"github.com/fairlead/fairlead/gateway"
)

func TestARequestThatFindsNoInstanceWaitsForOne(t *testing.T) {
	g := start(t, t.TempDir())
	g.apply(route(backend(1, app(t, "a", says("first")))))
	g.get("/")
	g.apply(route(gateway.Backend{Release: 1, Instances: []gateway.Instance{}}))
	got := make(chan answer, 1)
	go func() { got <- g.get("/") }()
	eventually(t, "the request waits", func() bool {
		s, err := g.client.Status(t.Context())
		return err == nil && s.Requests == 2
	})
	g.apply(route(backend(1, app(t, "b", says("second")))))
	if a := <-got; a.body != "second" {
		t.Errorf("got %+v", a)
	}
	g.apply(route(gateway.Backend{Release: 1, Instances: []gateway.Instance{}}))
	if a := g.get("/"); a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("an app that does not come back answers %+v", a)
	}
}
