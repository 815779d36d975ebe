package console

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"net/http"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

// view is what a page shows at a moment: its parts, in the order in which they stand.
// A page has the same parts at all times; one that has nothing to show is empty.
type view struct {
	Title  string  // the heading, and the beginning of the window's title
	Crumbs []crumb // the pages above it, the highest first
	Parts  []part
	Still  bool // nothing of it is followed: its parts may hold forms

	Styles, Scripts []string // its own files of assets, such as "rollout.css" and "chart.js"
}

// crumb is a page above another.
type crumb struct{ Name, Path string }

// part is a piece of a page that is replaced as a whole when it changes. It holds no
// form and nothing else of one session alone: those of the same role share it.
type part struct {
	ID       string // of its element, and its class
	Template string // that renders Data
	Data     any
	Announce bool // screen readers read what changed
	Still    bool // not followed: it stays as it was loaded, and may hold a form
}

// visit is one request for a page, or one stream that follows it.
type visit struct {
	api   *client.Client // as the person who visits
	role  fairlead.Role
	path  func(name string) string // a wildcard of the path
	query func(name string) string // a parameter
	live  bool                     // it follows the page: parts that are Still may be left out
}

// load reads what a page shows. Its error is shown as a page of its own.
type load func(ctx context.Context, v visit) (view, error)

// page serves load at a path: as a whole, and what changes of it under /live.
func (s *console) page(mux *http.ServeMux, path string, l load) {
	mux.Handle("GET "+path, s.logged(func(w http.ResponseWriter, r *http.Request, session Session) {
		v, err := l(r.Context(), s.visit(r, session))
		if err != nil {
			s.fail(w, r, err)
			return
		}
		s.show(w, r, http.StatusOK, session, v)
	}))
	live := s.logged(func(w http.ResponseWriter, r *http.Request, session Session) { s.stream(w, r, session, l) })
	mux.HandleFunc("GET /live"+path, func(w http.ResponseWriter, r *http.Request) {
		if _, ok := s.session(r); !ok && wantsStream(r) {
			newStream(w).end(endSession)
			return
		}
		live.ServeHTTP(w, r)
	})
}

// stream follows what load shows. Those of the same role see the same.
func (s *console) stream(w http.ResponseWriter, r *http.Request, session Session, l load) {
	visit := s.visit(r, session)
	visit.live = true
	key := string(session.Who.Role) + " " + r.URL.RequestURI()
	first := greeting{Build: s.build, clock: s.Now}
	if about, err := visit.api.Version(r.Context()); err == nil { // the footer does without
		first.Term = about.Term
	}
	s.hub.follow(w, r, tokenOf(r), key, func(ctx context.Context) (frame, error) {
		v, err := l(ctx, visit)
		if err != nil {
			return nil, err
		}
		return v.render()
	}, first, func() bool { _, ok := s.session(r); return ok })
}

func (s *console) visit(r *http.Request, session Session) visit {
	return visit{api: s.API(session.Who), role: session.Who.Role, path: r.PathValue, query: r.URL.Query().Get}
}

// frame is a view's parts as HTML, by id, but for those that are not followed.
type frame map[string]template.HTML

func (v view) render() (frame, error) {
	f := frame{}
	for _, p := range v.Parts {
		if p.Still {
			continue
		}
		html, err := p.render()
		if err != nil {
			return nil, err
		}
		f[p.ID] = html
	}
	return f, nil
}

// render executes the part's template, which escapes all that comes from outside.
func (p part) render() (template.HTML, error) {
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, p.Template, p.Data); err != nil {
		return "", fmt.Errorf("render %s: %w", p.ID, err)
	}
	return template.HTML(out.String()), nil
}
