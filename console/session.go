package console

import (
	"context"
	"net/http"
	"strings"

	"github.com/fairlead/fairlead/internal/consolecookie"
)

// logged lets only people with a session through. The request ends with the session,
// when its person logs out elsewhere: a page does not go on being followed.
func (s *console) logged(next func(w http.ResponseWriter, r *http.Request, session Session)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, ok := s.session(r)
		if !ok {
			s.stranger(w, r)
			return
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(session.Done, cancel)()
		if r.Method == http.MethodGet && !strings.HasPrefix(r.URL.Path, "/live/") { // forms are few, and the hub bounds streams
			done, err := s.pages.take(ctx, tokenOf(r))
			if err != nil {
				return // nobody waits for the answer, or nobody may have it
			}
			defer done()
		}
		next(w, r.WithContext(ctx), session)
	})
}

// session returns the session of a request's cookie.
func (s *console) session(r *http.Request) (Session, bool) {
	token := tokenOf(r)
	if token == "" {
		return Session{}, false
	}
	return s.Sessions.Find(token)
}

// tokenOf returns the token in a request's cookie, or "". Of several it is the last: a
// browser sends cookies of longer paths first, and ours is of the path "/". A script of an
// application on another port can plant one of a longer path beside it.
func tokenOf(r *http.Request) string {
	cookies := r.CookiesNamed(consolecookie.Of(r.Host))
	if len(cookies) == 0 {
		return ""
	}
	return cookies[len(cookies)-1].Value
}

// sessionCookie holds a session's token. A script cannot read it, and no other site's
// page makes a browser send it. With no token it takes the cookie from the browser.
func sessionCookie(r *http.Request, token string) *http.Cookie {
	c := &http.Cookie{
		Name: consolecookie.Of(r.Host), Value: token, Path: "/",
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
	}
	if token == "" {
		c.MaxAge = -1
	}
	return c
}
