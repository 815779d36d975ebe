package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"

	"github.com/fairlead/fairlead"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed assets
var assetFiles embed.FS

var templates = template.Must(template.New("").Funcs(words()).ParseFS(templateFiles, "templates/*.html"))

// document is a whole page for the layout's template.
type document struct {
	Title   string
	Session Session
	CSRF    string // for the forms of this page
	Live    string // path of the stream of its parts; "" for none
	Version string
	Parts   []rendered
}

type rendered struct {
	part
	HTML template.HTML
}

// show answers with a page.
func (s *console) show(w http.ResponseWriter, r *http.Request, status int, session Session, v view) {
	d := document{Title: v.Title, Session: session, Version: s.Version, CSRF: csrfOf(r), Live: "/live" + r.URL.RequestURI()}
	for _, p := range v.Parts {
		html, err := p.render()
		if err != nil {
			slog.Error("a page cannot be rendered", "path", r.URL.Path, "error", err)
			http.Error(w, "This page cannot be shown: "+err.Error(), http.StatusInternalServerError)
			return
		}
		d.Parts = append(d.Parts, rendered{p, html})
	}
	write(w, r, status, "layout", d)
}

// fail answers with an error as a page.
func (s *console) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := map[fairlead.Code]int{
		fairlead.NotFound: http.StatusNotFound, fairlead.Forbidden: http.StatusForbidden, fairlead.Invalid: http.StatusBadRequest,
		fairlead.Conflict: http.StatusConflict, fairlead.Unauthorized: http.StatusUnauthorized,
	}[fairlead.CodeOf(err)]
	if status == 0 {
		status = http.StatusInternalServerError
	}
	write(w, r, status, "problem", map[string]any{"Title": http.StatusText(status), "Text": err.Error(), "Hint": fairlead.HintOf(err)})
}

// write renders a whole document before the first byte is sent.
func write(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, name, data); err != nil {
		slog.Error("a page cannot be rendered", "path", r.URL.Path, "error", err)
		http.Error(w, "This page cannot be shown: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // a browser that went away misses nothing
}

// secured sets the headers of every answer.
func secured(next http.Handler) http.Handler {
	const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
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
