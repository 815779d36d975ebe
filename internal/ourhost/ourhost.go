// Package ourhost tells a server's own names from foreign ones. A web page can make a
// browser call any address, also by a name of its own that it lets resolve to this
// machine; the Host and Origin headers give it away.
package ourhost

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/fairlead/fairlead"
)

// Names are those under which a server may be called: lower-case, without port.
type Names []string

// Check refuses, with code forbidden, a request whose Host is foreign, or whose Origin is
// where it has one. Ports are not compared.
func (n Names) Check(r *http.Request) error {
	if !n.have(r.Host) {
		return fairlead.Errorf(fairlead.Forbidden, "", "the Host %q is not this server's", r.Host)
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		if err != nil || !n.have(u.Host) {
			return fairlead.Errorf(fairlead.Forbidden, "", "the Origin %q is not this server's", origin)
		}
	}
	return nil
}

func (n Names) have(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	return slices.Contains(n, strings.ToLower(strings.Trim(host, "[]")))
}
