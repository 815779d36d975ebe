// Package reach lets instances connect to the outside addresses that their file names
// and to no others: connections to an address inside are carried to their target
// outside.
package reach

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead"
)

// Rule is one outside address that an instance may connect to. Inside, the
// address At stands for Host; connections to At:Port are carried to Target, which
// is resolved outside at each connection.
type Rule struct {
	Host   string     `json:"host"`
	At     netip.Addr `json:"at"`
	Port   uint16     `json:"port"`
	Target string     `json:"target"` // "host:port"
}

// mostReach bounds the addresses that one instance may reach, as an App file does.
const mostReach = 100

// named is where the addresses of names are.
var named = netip.MustParsePrefix("127.77.0.0/16")

// Parse plans the addresses inside for network: an IP literal stands for
// itself, localhost for 127.0.0.1, and each other name gets a loopback address of
// its own from 127.77.0.0/16. A name that ends in .localhost, such as the route of
// another app, is the loopback of this machine outside (RFC 6761, section 6.3), on
// which the gateway listens.
func Parse(network fairlead.Network) ([]Rule, error) {
	if len(network.Reach) > mostReach {
		return nil, fairlead.Errorf(fairlead.Invalid, "", "%d addresses to reach; at most %d", len(network.Reach), mostReach)
	}
	rules := make([]Rule, 0, len(network.Reach))
	names := map[string]netip.Addr{}
	seen := map[string]bool{}
	next := named.Addr().Next()
	for _, target := range network.Reach {
		host, text, err := net.SplitHostPort(target)
		port, portErr := strconv.ParseUint(text, 10, 16)
		if err != nil || portErr != nil || port == 0 || !validHost(host) {
			return nil, fairlead.Errorf(fairlead.Invalid, "", "%q is not host:port", target).WithHint(`write "db.internal:5432"; wildcards cannot be reached`)
		}
		at, err := netip.ParseAddr(host)
		switch {
		case err == nil && (at.IsUnspecified() || at.IsMulticast() || at.Zone() != ""):
			return nil, fairlead.Errorf(fairlead.Invalid, "", "%q is not the address of one host", host)
		case err == nil && named.Contains(at.Unmap()):
			return nil, fairlead.Errorf(fairlead.Invalid, "", "%q cannot be reached: instances see names at addresses of %s", target, named).WithHint("let it listen at another address, such as 127.0.0.1")
		case err == nil:
			at = at.Unmap()
		case host == "localhost":
			at = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		default:
			if !names[host].IsValid() {
				names[host], next = next, next.Next()
			}
			at = names[host]
		}
		rule := Rule{Host: host, At: at, Port: uint16(port), Target: outside(host, text)}
		if key := fmt.Sprint(at, port); !seen[key] {
			seen[key] = true
			rules = append(rules, rule)
		}
	}
	return rules, nil
}

// outside is where connections to host:port are dialled.
func outside(host, port string) string {
	if strings.HasSuffix(host, ".localhost") {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// validHost reports whether s may stand in a hosts file: letters, digits, dots,
// hyphens, underscores and, for addresses, colons.
func validHost(s string) bool {
	for _, c := range []byte(s) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_' && c != ':' {
			return false
		}
	}
	return s != "" && len(s) <= 253
}
