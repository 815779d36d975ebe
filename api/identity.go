package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/ourhost"
)

// Identify returns who sent a request, or an error of code unauthorized.
type Identify func(r *http.Request) (fairlead.Principal, error)

// strangerWithin is how long a stranger may take to send the rest of a call that is refused:
// the server reads a part of it before it answers.
const strangerWithin = 10 * time.Second

type principalKey struct{}

// principal returns who sent the request of ctx.
func principal(ctx context.Context) fairlead.Principal {
	p, _ := ctx.Value(principalKey{}).(fairlead.Principal)
	return p
}

func (s *server) identified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, err := s.Identify(r)
		if err != nil {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(strangerWithin)) // in tests alone it is not supported
			w.Header().Set("WWW-Authenticate", `Bearer realm="fairlead"`)
			refuse(w, err)
			return
		}
		reports := r.Method == http.MethodPost && r.URL.Path == signalsPath
		if !who.May(fairlead.Viewer) && !reports {
			refuse(w, fairlead.Errorf(fairlead.Forbidden, "", "the role %s may only report: POST %s", who.Role, signalsPath))
			return
		}
		if reports {
			if err := s.paced(r, who); err != nil {
				refuse(w, err)
				return
			}
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), principalKey{}, who)))
	})
}

// hostChecked refuses requests that a web page of another host could have made.
func (s *server) hostChecked(next http.Handler) http.Handler {
	names := ourhost.Names(s.Hosts)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := names.Check(r); err != nil {
			refuse(w, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// BearerIs reports whether r carries a token, in constant time.
func BearerIs(r *http.Request, token string) bool {
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && ok && token != ""
}
