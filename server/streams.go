package server

import (
	"context"
	"net/http"
	"strings"
)

// endingFirst gives the calls that last as long as somebody follows, such as those of
// open pages, a context that ends with streams too: a stop ends them before it waits for
// the calls that end by themselves.
func endingFirst(streams context.Context, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !lasts(r) {
			next.ServeHTTP(w, r)
			return
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(streams, cancel)()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// lasts reports whether a call goes on until one of its sides ends it.
func lasts(r *http.Request) bool {
	follow := r.URL.Query().Get("follow")
	return strings.Contains(r.Header.Get("Accept"), "text/event-stream") || follow == "true" || follow == "1"
}
