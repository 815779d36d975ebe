package console

import (
	"cmp"
	"errors"
	"net/http"
	"runtime/debug"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

// problem is what a page of an error says.
type problem struct {
	Status int
	Text   string // what happened
	Hint   string // what to do
	Again  string // address to try once more; "" where that does not help
	Fleet  bool   // the fleet is a way on
}

// fail answers with an error as a page, for whoever asked.
func (s *console) fail(w http.ResponseWriter, r *http.Request, err error) {
	session, _ := s.session(r)
	p := problem{Status: client.StatusOf(fairlead.CodeOf(err)), Text: err.Error(), Hint: fairlead.HintOf(err)}
	p.Fleet = session.Who.ID != "" && r.URL.Path != "/"
	if p.Status >= http.StatusInternalServerError {
		if r.Method == http.MethodGet {
			p.Again = r.URL.RequestURI()
		}
		p.Hint = cmp.Or(p.Hint, "try again; if it stays so, the server's log says more")
	}
	s.show(w, r, p.Status, session, view{
		Title: titleOf(p.Status), Still: true,
		Parts: []part{{ID: "problem", Template: "problem", Data: p}},
	})
}

// nowhere answers for a path that no page has.
func (s *console) nowhere(w http.ResponseWriter, r *http.Request, _ Session) {
	s.fail(w, r, fairlead.Errorf(fairlead.NotFound, "", "no page has the address %s", r.URL.Path).
		WithHint("the fleet leads to every page"))
}

// surviving answers where a page has a fault, and the server goes on.
func (s *console) surviving(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			fault := recover()
			if fault == nil {
				return
			}
			if err, ok := fault.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(fault) // the answer is broken off on purpose
			}
			s.Log.Error("a page panicked", "path", r.URL.Path, "fault", fault, "stack", string(debug.Stack()))
			s.fail(w, r, fairlead.Errorf(fairlead.Internal, "", "a fault of Fairlead's own, which its log names"))
		}()
		next.ServeHTTP(w, r)
	})
}

// titleOf is the heading of a status, for a person who does not know the number.
func titleOf(status int) string {
	switch status {
	case http.StatusNotFound:
		return "There is nothing here"
	case http.StatusForbidden:
		return "This is not yours to do"
	case http.StatusBadRequest:
		return "This cannot be understood"
	case http.StatusConflict:
		return "This is not possible now"
	case http.StatusUnauthorized:
		return "Nobody is logged in here"
	case http.StatusServiceUnavailable:
		return "The control plane cannot answer now"
	}
	return "Fairlead has a fault"
}
