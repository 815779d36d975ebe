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

// Console is the console's host on its own machine. Browsers resolve names under
// localhost to the loopback address by themselves. A host of its own keeps the session's
// cookie from applications under 127.0.0.1 and localhost: cookies heed no ports.
const Console = "fairlead.localhost"

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
