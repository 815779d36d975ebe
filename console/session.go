package console

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"

	"github.com/fairlead/fairlead"
)

// CookieName is the cookie that holds a session's token. The gateway takes it out of what
// it forwards: a browser sends cookies to every port of a host.
const CookieName = "fairlead_console"

// logged lets only people with a session through.
func (s *console) logged(next func(w http.ResponseWriter, r *http.Request, session Session)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, ok := s.session(r)
		if !ok {
			s.fail(w, r, fairlead.Errorf(fairlead.Unauthorized, "", "nobody is logged in here").WithHint("run: fairlead console"))
			return
		}
		next(w, r, session)
	})
}

func (s *console) session(r *http.Request) (Session, bool) {
	cookie, err := r.Cookie(CookieName)
	if err != nil {
		return Session{}, false
	}
	return s.Sessions.Find(cookie.Value)
}

// csrfOf returns what a form of the request's session must carry.
func csrfOf(r *http.Request) string {
	cookie, err := r.Cookie(CookieName)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256([]byte("fairlead console form\n" + cookie.Value))
	return hex.EncodeToString(sum[:])
}
