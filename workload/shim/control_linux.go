package shim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/unixsock"
)

// The control protocol of a shim: HTTP with JSON on shim.sock, which only the
// shim's user can reach.
//
//	GET  /v1/status                    its status, as in state.json
//	POST /v1/stop     stopRequest      answers with the last status once all has ended
//	POST /v1/replace  replaceRequest   services only: answers once the new process serves
//
// An error is {"code", "error"} with status 409 for conflict, else 400 or 500.

type stopRequest struct {
	Order fairlead.Order `json:"order"`
	Grace time.Duration  `json:"grace"` // nanoseconds
}

type replaceRequest struct {
	Order   fairlead.Order    `json:"order"`
	Command []string          `json:"command"`
	Env     map[string]string `json:"env,omitempty"`
	Grace   time.Duration     `json:"grace"` // nanoseconds from the old process's SIGTERM to its SIGKILL
}

type failure struct {
	Code  fairlead.Code `json:"code"`
	Error string        `json:"error"`
}

// mostRequest bounds a request's body, and an answer's.
const mostRequest = 1 << 20

// controlServer serves a shim's socket.
type controlServer struct {
	home   home
	server *http.Server
	served sync.WaitGroup
}

// serveControl listens on the home's socket. Its handlers are those of mux.
func serveControl(h home, mux *http.ServeMux) (*controlServer, error) {
	listener, err := unixsock.Listen(h.control())
	if err != nil {
		return nil, err
	}
	c := &controlServer{home: h, server: &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}}
	c.served.Go(func() { c.server.Serve(listener) })
	return c, nil
}

// close answers the requests that run, and ends.
func (c *controlServer) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if c.server.Shutdown(ctx) != nil {
		c.server.Close()
	}
	c.served.Wait()
}

// ordered makes a handler of a command: it decodes the request, takes its order
// under the home's lock, and answers what act returns.
func ordered[R any](h home, order func(R) fairlead.Order, act func(context.Context, R) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var request R
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, mostRequest))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&request); err != nil {
			respond(w, nil, fairlead.Errorf(fairlead.Invalid, "", "%w", err))
			return
		}
		err := underLock(h, func() error { return takeOrder(h, order(request)) })
		if err != nil {
			respond(w, nil, err)
			return
		}
		answer, err := act(r.Context(), request)
		respond(w, answer, err)
	}
}

// underLock calls f with the lock of h.
func underLock(h home, f func() error) error {
	lock, err := lockHome(h, false)
	if err != nil {
		return err
	}
	return errors.Join(f(), lock.Close())
}

func respond(w http.ResponseWriter, answer any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		code := fairlead.CodeOf(err)
		status := map[fairlead.Code]int{fairlead.Conflict: http.StatusConflict, fairlead.Invalid: http.StatusBadRequest}[code]
		if status == 0 {
			status = http.StatusInternalServerError
		}
		w.WriteHeader(status)
		answer = failure{code, err.Error()}
	}
	json.NewEncoder(w).Encode(answer) // a client that is gone needs no answer
}

// ask calls a shim. A shim that cannot be reached is code unavailable.
func ask(ctx context.Context, h home, method, path string, request, answer any) error {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return unixsock.Dial(ctx, h.control()) },
	}}
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://shim"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := client.Do(r)
	if err != nil {
		return fairlead.Errorf(fairlead.Unavailable, "", "ask the shim: %w", err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, mostRequest))
	if err != nil {
		return fairlead.Errorf(fairlead.Unavailable, "", "ask the shim: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		var f failure
		if json.Unmarshal(data, &f) != nil || f.Code == "" {
			f = failure{fairlead.Internal, fmt.Sprintf("the shim answered %s", response.Status)}
		}
		return fairlead.Errorf(f.Code, "", "%s", f.Error)
	}
	return json.Unmarshal(data, answer)
}
