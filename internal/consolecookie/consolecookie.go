// Package consolecookie knows the cookies that hold the tokens of consoles' sessions. The
// console sets and reads them; the gateway keeps them from applications, for a browser
// sends a cookie to every port of its host.
package consolecookie

import (
	"net"
	"net/http"
	"slices"
	"strings"
)

// Name begins the name of every such cookie.
const Name = "fairlead_console"

// Of returns the name of the cookie of the console at a host and port, as a browser has
// them: consoles on two ports of a host do not take each other's place.
func Of(hostport string) string {
	if _, port, err := net.SplitHostPort(hostport); err == nil && port != "" {
		return Name + "_" + port
	}
	return Name
}

// Strip takes the cookies out of a request's header, which it changes in place; others
// stay as they are. It allocates nothing where there is none.
func Strip(h http.Header) {
	lines := h["Cookie"]
	if !slices.ContainsFunc(lines, mentions) {
		return
	}
	kept := lines[:0]
	for _, line := range lines {
		if line = without(line); line != "" {
			kept = append(kept, line)
		}
	}
	if len(kept) == 0 {
		delete(h, "Cookie")
		return
	}
	h["Cookie"] = kept
}

// StripSet takes what sets such a cookie out of an answer's header: an application can
// neither end a session of the console nor plant one.
func StripSet(h http.Header) {
	lines := h["Set-Cookie"]
	if !slices.ContainsFunc(lines, mentions) {
		return
	}
	if lines = slices.DeleteFunc(lines, named); len(lines) == 0 {
		delete(h, "Set-Cookie")
		return
	}
	h["Set-Cookie"] = lines
}

func mentions(line string) bool { return strings.Contains(line, Name) }

// named reports whether a pair is a cookie of a console. A browser sends the value of a
// cookie that was set without a name ("=a=b") where a name stands (RFC 6265bis, 5.6).
func named(pair string) bool {
	name, _, _ := strings.Cut(strings.TrimLeft(pair, "= \t"), "=")
	rest, ours := strings.CutPrefix(strings.TrimSpace(name), Name)
	return ours && (rest == "" || rest[0] == '_')
}

// without is a line of cookies but for ours.
func without(line string) string {
	if !mentions(line) {
		return line
	}
	pairs := slices.DeleteFunc(strings.Split(line, ";"), named)
	return strings.TrimSpace(strings.Join(pairs, ";"))
}
