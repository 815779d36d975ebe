// Package consolecookie knows the cookie that holds the token of a console's session. The
// console sets and reads it; the gateway keeps it from applications, for a browser sends
// a cookie to every port of its host.
package consolecookie

import (
	"net/http"
	"slices"
	"strings"
)

// Name is the cookie's.
const Name = "fairlead_console"

// Strip takes the cookie out of a request's header, which it changes in place; the other
// cookies stay as they are. It allocates nothing where the cookie is not.
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

// StripSet takes what sets the cookie out of an answer's header: an application can
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

func named(pair string) bool {
	name, _, _ := strings.Cut(pair, "=")
	return strings.TrimSpace(name) == Name
}

// without is a line of cookies but for ours.
func without(line string) string {
	if !mentions(line) {
		return line
	}
	pairs := slices.DeleteFunc(strings.Split(line, ";"), named)
	return strings.TrimSpace(strings.Join(pairs, ";"))
}
