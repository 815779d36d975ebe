package console

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/fairlead/fairlead"
)

// login redeems a one-time link, and says how to get one. It answers a code with a page
// that goes on by itself: after a redirect from elsewhere, a browser would not send the
// cookie that was just set.
func (s *console) login(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Referrer-Policy", "no-referrer") // the address holds the code
	q := r.URL.Query()
	if !q.Has("code") {
		s.waiting(w, r)
		return
	}
	if r.Method != http.MethodGet || ahead(r) {
		w.WriteHeader(http.StatusNoContent) // nobody looks yet: the code stays good
		return
	}
	before, again := s.session(r)
	token, session, err := s.Sessions.Redeem(r.Context(), q.Get("code"))
	switch {
	case fairlead.CodeOf(err) == fairlead.Unauthorized:
		s.entry(w, r, http.StatusUnauthorized, "This link does not work any more", "A link works once, and for a few minutes. Nothing was changed.")
		return
	case err != nil:
		s.fail(w, r, err)
		return
	}
	if again {
		if err := s.Sessions.End(r.Context(), tokenOf(r)); err != nil { // it ends by itself in time
			s.Log.Warn("the session that this browser had before goes on", "expires", before.Expires, "error", err)
		}
	}
	http.SetCookie(w, sessionCookie(r, token))
	to := within(q.Get("to"))
	w.Header().Set("Refresh", "0; url="+to)
	s.show(w, r, http.StatusOK, Session{}, view{
		Title: "Logged in", Still: true, Parts: []part{{ID: "welcome", Template: "welcome", Data: map[string]any{"To": to, "Session": session}}},
	})
}

// ahead reports whether a browser fetches a page before anybody asks for it, by the header
// of the Fetch standard or by those of before it.
func ahead(r *http.Request) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		if purpose := strings.ToLower(r.Header.Get(name)); strings.Contains(purpose, "prefetch") || strings.Contains(purpose, "preview") {
			return true
		}
	}
	return false
}

// waiting answers who came without a code.
func (s *console) waiting(w http.ResponseWriter, r *http.Request) {
	if _, in := s.session(r); in {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	text := "The console opens by a link that works once."
	if r.URL.Query().Has("left") {
		text = "You are logged out. " + text
	}
	s.entry(w, r, http.StatusOK, "Log in", text)
}

// stranger answers someone who is not logged in.
func (s *console) stranger(w http.ResponseWriter, r *http.Request) {
	title, text := "Nobody is logged in here", "This browser has no session of the console."
	if tokenOf(r) != "" {
		title, text = "Your session has ended", "It was logged out, or its time is over."
	}
	s.entry(w, r, http.StatusUnauthorized, title, text)
}

// entry says how to get in.
func (s *console) entry(w http.ResponseWriter, r *http.Request, status int, title, text string) {
	s.show(w, r, status, Session{}, view{
		Title: title, Still: true, Styles: []string{"login.css"}, Parts: []part{{ID: "entry", Template: "entry", Data: text}},
	})
}

// within returns a path of the console, or its first page for what is none.
func within(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") ||
		strings.ContainsFunc(to, func(c rune) bool { return c <= ' ' || c == '\\' || c == ';' || c > '~' }) {
		return "/"
	}
	return u.RequestURI()
}

// logout ends the session, in this browser and wherever its pages are open.
func (s *console) logout(w http.ResponseWriter, r *http.Request, _ Session) {
	if err := s.Sessions.End(r.Context(), tokenOf(r)); err != nil {
		s.fail(w, r, err)
		return
	}
	http.SetCookie(w, sessionCookie(r, ""))
	http.Redirect(w, r, "/login?left", http.StatusSeeOther)
}
