package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"time"

	"github.com/fairlead/fairlead/api/client"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed assets
var assetFiles embed.FS

var templates = template.Must(template.New("").Funcs(words()).ParseFS(templateFiles, "templates/*.html"))

// document is a whole page for the layout's template.
type document struct {
	view
	Path    string   // of the page, without its parameters
	Session *Session // nil when nobody is logged in
	CSRF    string   // for the forms of this page
	Live    string   // path of the stream of its parts; "" for none
	Now     time.Time
	Build   string // of this program: a page of another is loaded anew
	Server  client.Version
	Content []rendered
}

// Current is what a link of the navigation is to this page: "page" for the page itself,
// "true" for the one above it, "" for another.
func (d document) Current(path string) string {
	switch {
	case d.Path == path:
		return "page"
	case len(d.Crumbs) > 0 && d.Crumbs[0].Path == path:
		return "true"
	}
	return ""
}

type rendered struct {
	part
	HTML template.HTML
}

// show answers with a page. A session of nobody, the zero Session, is shown no way to
// other pages.
func (s *console) show(w http.ResponseWriter, r *http.Request, status int, session Session, v view) {
	d, err := s.document(r, session, v)
	var out bytes.Buffer // all is rendered before the first byte is sent
	if err == nil {
		err = templates.ExecuteTemplate(&out, "layout", d)
	}
	if err != nil {
		s.Log.Error("a page cannot be rendered", "path", r.URL.Path, "error", err)
		http.Error(w, "This page cannot be shown: a fault of Fairlead's own, which its log names.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // a browser that went away misses nothing
}

func (s *console) document(r *http.Request, session Session, v view) (document, error) {
	d := document{view: v, Path: r.URL.Path, Now: s.Now(), Build: s.build, Server: client.Version{Version: s.Version}}
	if session.Who.ID != "" {
		d.Session, d.CSRF = &session, csrfOf(r)
		if about, err := s.API(session.Who).Version(r.Context()); err == nil { // the footer does without
			d.Server = about
		}
	}
	if !v.Still {
		d.Live = "/live" + r.URL.RequestURI()
	}
	for _, p := range v.Parts {
		html, err := p.render()
		if err != nil {
			return d, err
		}
		d.Content = append(d.Content, rendered{p, html})
	}
	return d, nil
}

// build names what a page is made of: the version, and a digest of templates and assets.
func build(version string) string {
	sum := sha256.New()
	for _, files := range []fs.FS{templateFiles, assetFiles} {
		_ = fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				data, _ := fs.ReadFile(files, path) // embedded: it can be read
				fmt.Fprintf(sum, "%s %d\n%s", path, len(data), data)
			}
			return err
		})
	}
	return version + "-" + hex.EncodeToString(sum.Sum(nil)[:4])
}

// assetHandler serves the embedded styles and modules. Their digest is their tag, so that
// a browser asks again after an upgrade and gets nothing where nothing changed.
func assetHandler() http.Handler {
	files := http.FileServerFS(assetFiles)
	tags := map[string]string{}
	_ = fs.WalkDir(assetFiles, "assets", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			data, _ := assetFiles.ReadFile(path) // embedded: it can be read
			sum := sha256.Sum256(data)
			tags["/"+path] = `"` + hex.EncodeToString(sum[:8]) + `"`
		}
		return err
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if tag := tags[r.URL.Path]; tag != "" {
			w.Header().Set("ETag", tag)
		}
		w.Header().Set("Cache-Control", "no-cache")
		files.ServeHTTP(w, r)
	})
}
