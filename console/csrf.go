package console

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"mime"
	"net/http"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/ourhost"
)

// formWithin is how long what somebody sends may take.
const formWithin = 10 * time.Second

// csrfField is the field of a form that holds its session's proof, and mostForm the
// largest form in bytes.
const (
	csrfField = "csrf"
	mostForm  = 64 << 10
)

// post serves a form's path. What next gets was sent by a page of this console to a
// person who is logged in: its fields are read, and small. Whether the person may do what
// it asks is for the API to say.
func (s *console) post(mux *http.ServeMux, path string, next func(w http.ResponseWriter, r *http.Request, session Session)) {
	mux.Handle("POST "+path, s.logged(func(w http.ResponseWriter, r *http.Request, session Session) {
		if err := s.ofOurPage(w, r); err != nil {
			s.fail(w, r, err)
			return
		}
		next(w, r, session)
	}))
}

// ofOurPage reads a form, and refuses one that no page of the session holds.
func (s *console) ofOurPage(w http.ResponseWriter, r *http.Request) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return fairlead.Errorf(fairlead.Invalid, "", "this is no form of the console")
	}
	r.Body = http.MaxBytesReader(w, r.Body, mostForm)
	if err := r.ParseForm(); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return fairlead.Errorf(fairlead.Invalid, "", "the form is larger than %d bytes", mostForm).WithHint("write less")
		}
		return fairlead.Errorf(fairlead.Invalid, "", "the form cannot be read: %w", err)
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // what is asked for may take longer; else it ends early
	if !hmac.Equal([]byte(r.PostForm.Get(csrfField)), []byte(csrfOf(r))) {
		return fairlead.Errorf(fairlead.Forbidden, "", "this form is of a session that has ended, or of another page").
			WithHint("open the page again, and send its form")
	}
	return nil
}

// csrfOf returns what a form of the request's session must carry.
func csrfOf(r *http.Request) string {
	proof := hmac.New(sha256.New, []byte(tokenOf(r)))
	proof.Write([]byte("a form of the console"))
	return hex.EncodeToString(proof.Sum(nil))
}

// guarded refuses requests that a page of another origin made a browser send. An origin
// is host and port: other ports of this machine belong to applications. They may only
// lead to a page, never read, frame or change one.
func (s *console) guarded(next http.Handler) http.Handler {
	names := ourhost.Names(s.Hosts)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 { // also what is refused is read, a little, before it is answered
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(formWithin)) // in tests alone it is not supported
		}
		err := names.Check(r)
		if err == nil && !s.fromHere(r) {
			err = fairlead.Errorf(fairlead.Forbidden, "", "another site's page sent this")
		}
		if err != nil {
			http.Error(w, "Refused: "+err.Error()+".", http.StatusForbidden) // nothing of a session
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *console) fromHere(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return s.origin.Check(r) == nil
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return true
	}
	return r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}
