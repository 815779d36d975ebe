package gateway

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"net/http"
	"strings"
	"sync"

	"github.com/fairlead/fairlead"
)

// Names of the cookie and header that name a unit when the route names none.
const (
	defaultCookie    = "fairlead_session"
	defaultRunHeader = "Fairlead-Run"
	apiKeyHeader     = "X-API-Key"
)

// keyring computes the keyed hashes of a rollout: HMAC-SHA256 under its salt of
// a label, a zero byte and the unit, truncated to its first 64 bits (RFC 2104
// allows truncation). Labels keep the hashes independent: "assign" decides the
// arm, "unit" names the unit in blocks, so neither tells the other. It is safe
// for concurrent use.
type keyring struct{ macs sync.Pool }

func newKeyring(salt []byte) *keyring {
	return &keyring{macs: sync.Pool{New: func() any { return hmac.New(sha256.New, salt) }}}
}

func (k *keyring) sum(label, unit string) uint64 {
	mac := k.macs.Get().(hash.Hash)
	defer k.macs.Put(mac)
	mac.Reset()
	var room [96]byte
	text := append(room[:0], label...)
	text = append(text, 0)
	text = append(text, unit...)
	mac.Write(text)
	var sum [sha256.Size]byte
	return binary.BigEndian.Uint64(mac.Sum(sum[:0]))
}

// onCanary reports whether unit is on the canary at weight. For a growing weight
// it changes at most once, from false to true.
func (k *keyring) onCanary(unit string, weight fairlead.Weight) bool {
	return k.sum("assign", unit)%uint64(fairlead.Whole) < uint64(weight)
}

// id returns the unit's name in blocks.
func (k *keyring) id(unit string) uint64 { return k.sum("unit", unit) }

// unitOf returns the request's unit of assignment as a names it. When the request
// has none, fresh is true and the unit is a random one of its own.
func unitOf(a fairlead.Assignment, r *http.Request) (unit string, fresh bool) {
	switch a.By {
	case fairlead.ByHeader:
		unit = r.Header.Get(a.Name)
	case fairlead.ByAPIKey:
		unit = apiKey(r.Header)
	case fairlead.ByRun:
		unit = r.Header.Get(runHeader(a))
	default:
		if cookie, err := r.Cookie(cookieName(a)); err == nil {
			unit = cookie.Value
		}
	}
	if unit == "" {
		return rand.Text(), true // 128 random bits or more
	}
	return unit, false
}

// apiKey returns the bearer token or the X-API-Key header. It is only ever
// hashed: neither stored nor logged.
func apiKey(h http.Header) string {
	scheme, token, ok := strings.Cut(h.Get("Authorization"), " ")
	if ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	return h.Get(apiKeyHeader)
}

func cookieName(a fairlead.Assignment) string {
	if a.Name != "" {
		return a.Name
	}
	return defaultCookie
}

func runHeader(a fairlead.Assignment) string {
	if a.Name != "" {
		return a.Name
	}
	return defaultRunHeader
}

// bySession reports whether a's units are the gateway's own cookies.
func bySession(a fairlead.Assignment) bool { return a.By == "" || a.By == fairlead.BySession }

// ownSession returns the name of the cookie that nobody but the gateway may set;
// "" when sessions are not assigned, or by a cookie that the file names, which may
// be the app's.
func ownSession(a fairlead.Assignment) string {
	if bySession(a) && cookieName(a) == defaultCookie {
		return defaultCookie
	}
	return ""
}

// sessionCookie returns the Set-Cookie value that makes unit the client's session.
func sessionCookie(a fairlead.Assignment, unit string) string {
	return (&http.Cookie{Name: cookieName(a), Value: unit, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}).String()
}

// unitHeader returns the header whose value clients may set although its name
// may begin with Fairlead-; "" when there is none.
func unitHeader(a fairlead.Assignment) string {
	switch a.By {
	case fairlead.ByHeader:
		return a.Name
	case fairlead.ByRun:
		return runHeader(a)
	}
	return ""
}
