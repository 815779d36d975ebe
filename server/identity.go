package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/user"
	"strconv"
	"strings"
	"sync"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api"
	"github.com/fairlead/fairlead/internal/keyfile"
)

// identity knows who calls: the bearer of the administrator's token or of a
// program's, or the user of a process that came through the Unix socket.
type identity struct {
	token    string
	programs *tokens
	seal     func(ctx context.Context, subject, text string) (fairlead.Sealed, error)

	mu    sync.Mutex
	known map[string]fairlead.Sealed // by name
}

// newIdentity reads the administrator's token, and makes it on the first start.
func newIdentity(file string, programs *tokens, seal func(context.Context, string, string) (fairlead.Sealed, error)) (*identity, error) {
	data, err := keyfile.ReadOrMake(file, newToken)
	if errors.Is(err, keyfile.ErrExposed) {
		return nil, fairlead.Errorf(fairlead.Forbidden, "read the administrator's token", "%w", err).
			WithHint("chmod 600 %s; if others could have read it or it is no plain file, remove it, and the next start makes another", file)
	}
	if err != nil {
		return nil, fmt.Errorf("the administrator's token: %w", err)
	}
	token := strings.TrimSpace(string(data))
	if len(token) < leastToken || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, fairlead.Errorf(fairlead.Corrupt, "read the administrator's token", "%s does not hold a token", file).
			WithHint("remove %s: the next start makes another", file)
	}
	return &identity{token: token, programs: programs, seal: seal, known: map[string]fairlead.Sealed{}}, nil
}

// leastToken is how many characters a token has at least, so that none is guessed.
// They are those that a header can carry.
const leastToken = 32

func newToken() ([]byte, error) {
	var raw [32]byte
	rand.Read(raw[:]) // never fails, see crypto/rand
	return []byte("fl_" + hex.EncodeToString(raw[:]) + "\n"), nil
}

type connKey struct{}

// withConn keeps a request's connection for identify; it is an
// http.Server.ConnContext.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

type actingKey struct{}

// actingAs returns a context of calls as a principal. Nothing that comes from outside
// the process can make one.
func actingAs(ctx context.Context, who fairlead.Principal) context.Context {
	return context.WithValue(ctx, actingKey{}, who)
}

// identify returns the principal of a request.
func (i *identity) identify(r *http.Request) (fairlead.Principal, error) {
	if who, inside := r.Context().Value(actingKey{}).(fairlead.Principal); inside {
		return who, nil
	}
	if api.BearerIs(r, i.token) {
		return i.admin(r.Context(), "admin")
	}
	if who, known := i.programs.principal(r); known {
		return who, nil
	}
	if conn, ok := r.Context().Value(connKey{}).(*net.UnixConn); ok && r.Header.Get("Authorization") == "" {
		uid, err := samePeer(conn)
		if err != nil {
			return fairlead.Principal{}, fairlead.Errorf(fairlead.Unauthorized, "", "the caller's credentials do not count: %w", err).
				WithHint("use the token in admin.token of the state directory")
		}
		return i.admin(r.Context(), userName(uid))
	}
	return fairlead.Principal{}, fairlead.Errorf(fairlead.Unauthorized, "", "no valid token").
		WithHint("send the token in admin.token of the state directory, as: Authorization: Bearer TOKEN")
}

// admin returns the administrator of a name, which is also whose name it is.
func (i *identity) admin(ctx context.Context, name string) (fairlead.Principal, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	id, ok := i.known[name]
	if !ok {
		var err error
		if id, err = i.seal(ctx, name, name); err != nil {
			return fairlead.Principal{}, fmt.Errorf("seal the caller's name: %w", err)
		}
		i.known[name] = id
	}
	return fairlead.Principal{ID: id, Role: fairlead.Admin}, nil
}

func userName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return "uid " + strconv.Itoa(uid)
}
