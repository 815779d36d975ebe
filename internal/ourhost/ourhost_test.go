package ourhost_test

import (
	"net/http/httptest"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/ourhost"
)

func TestOnlyOurOwnNamesAreTaken(t *testing.T) {
	names := ourhost.Names{"fairlead.localhost", "127.0.0.1", "::1"}
	for _, c := range []struct {
		host, origin string
		ours         bool
	}{
		{"fairlead.localhost:8090", "", true},
		{"FAIRLEAD.localhost", "", true},
		{"127.0.0.1:8090", "http://127.0.0.1:8090", true},
		{"[::1]:8090", "", true},
		{"::1", "", true},
		{"", "", false},
		{"evil.example:8090", "", false},
		{"127.0.0.1.evil.example", "", false},
		{"fairlead.localhost.", "", false},
		{"127.0.0.1:8090", "http://evil.example", false},
		{"127.0.0.1:8090", "null", false},
		{"127.0.0.1:8090", "http://[", false},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = c.host
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		err := names.Check(r)
		if (err == nil) != c.ours || err != nil && fairlead.CodeOf(err) != fairlead.Forbidden {
			t.Errorf("Host %q, Origin %q: %v", c.host, c.origin, err)
		}
	}
}
