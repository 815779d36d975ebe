package console

import (
	"net/http"
	"net/url"
	"strings"
)

// login redeems a one-time link. It answers with a page that goes on by itself: after a
// redirect from elsewhere, a browser would not send the cookie that was just set.
func (s *console) login(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Referrer-Policy", "no-referrer") // the address holds the code
	code := r.URL.Query().Get("code")
	if code == "" {
		s.stranger(w, r)
		return
	}
	if r.Method != http.MethodGet || strings.Contains(r.Header.Get("Sec-Purpose"), "prefetch") {
		w.WriteHeader(http.StatusNoContent) // nobody looks yet: the code stays good
		return
	}
	token, _, err := s.Sessions.Redeem(r.Context(), code)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.SetCookie(w, sessionCookie(r, token))
	write(w, r, http.StatusOK, "welcome", map[string]any{"Title": "Logged in", "To": within(r.URL.Query().Get("to"))})
}

// within returns a path of the console, or its first page for what is none.
func within(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(u.Path, "/") ||
		strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\t\r\n") {
		return "/"
	}
	return u.RequestURI()
}

// logout ends the session.
func (s *console) logout(w http.ResponseWriter, r *http.Request, _ Session) {
	if err := s.Sessions.End(r.Context(), tokenOf(r)); err != nil {
		s.fail(w, r, err)
		return
	}
	http.SetCookie(w, sessionCookie(r, ""))
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}
