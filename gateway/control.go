package gateway

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/fairlead/fairlead"
)

// Limits of GET /blocks.
const (
	blocksMost     = 1000
	blocksBytes    = 4 << 20
	blocksWaitMost = 30 * time.Second
)

// control answers the control socket:
//
//	PUT  /snapshot                   Snapshot -> 204, or 409 for an order that is not newer
//	POST /lease                      Order    -> 204, or 409
//	GET  /status                     Status
//	GET  /blocks?wait=1s&limit=200   []fairlead.Block, not acknowledged, oldest first
//	POST /ack                        []Ack    -> 204
//	GET  /events?after=N             []Event
//	POST /handover                   legacy, for a gateway that takes over
//	POST /elder                      elderReport -> elderAnswer, of one that handed over
//	GET  /metrics                    what it counts, as text for Prometheus
//
// An error is a problem (RFC 9457) with Fairlead's code and hint.
type control struct {
	core     *Core
	pid      int
	crowd    *crowd
	handover func() (*legacy, error)
}

func (c *control) handler() http.Handler {
	mux := http.NewServeMux()
	route := func(pattern string, serve func(r *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, bodyMost)
			answer, err := serve(r)
			reply(w, answer, err)
		})
	}
	route("PUT /snapshot", c.putSnapshot)
	route("POST /lease", c.postLease)
	route("GET /status", c.getStatus)
	route("GET /blocks", c.getBlocks)
	route("POST /ack", c.postAck)
	route("GET /events", c.getEvents)
	route("POST /handover", func(*http.Request) (any, error) { return c.handover() })
	route("POST /elder", c.postElder)
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		w.Write(c.core.Metrics()) // a client that is gone asks again
		w.Write(c.crowd.metrics())
	})
	return mux
}

func (c *control) putSnapshot(r *http.Request) (any, error) {
	var s Snapshot
	if err := decode(r.Body, &s); err != nil {
		return nil, fairlead.Errorf(fairlead.Invalid, "apply snapshot", "%w", err)
	}
	return nil, c.core.Apply(time.Now(), &s)
}

func (c *control) postLease(r *http.Request) (any, error) {
	var order fairlead.Order
	if err := decode(r.Body, &order); err != nil {
		return nil, fairlead.Errorf(fairlead.Invalid, "renew leases", "%w", err)
	}
	return nil, c.core.Renew(time.Now(), order)
}

func (c *control) getStatus(*http.Request) (any, error) {
	s := c.core.Status()
	s.Pid = c.pid
	return s, nil
}

func (c *control) getBlocks(r *http.Request) (any, error) {
	wait, limit, err := pollOptions(r)
	if err != nil {
		return nil, err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		blocks, changed, err := c.core.spool.read(limit, blocksBytes)
		if err != nil {
			return nil, fairlead.Errorf(fairlead.Unavailable, "read blocks", "%w", err)
		}
		if len(blocks) > 0 {
			return blocks, nil
		}
		select {
		case <-changed:
		case <-timer.C:
			return []json.RawMessage{}, nil
		case <-r.Context().Done():
			return nil, fairlead.Errorf(fairlead.Unavailable, "read blocks", "%w", r.Context().Err())
		}
	}
}

func pollOptions(r *http.Request) (wait time.Duration, limit int, err error) {
	const op = "read blocks"
	limit = 200
	if text := r.FormValue("wait"); text != "" {
		wait, err = time.ParseDuration(text)
		if err != nil || wait < 0 {
			return 0, 0, fairlead.Errorf(fairlead.Invalid, op, "wait %q is not a duration such as 1s", text)
		}
	}
	if text := r.FormValue("limit"); text != "" {
		limit, err = strconv.Atoi(text)
		if err != nil || limit < 1 {
			return 0, 0, fairlead.Errorf(fairlead.Invalid, op, "limit %q is not a number from 1 on", text)
		}
	}
	return min(wait, blocksWaitMost), min(limit, blocksMost), nil
}

func (c *control) postAck(r *http.Request) (any, error) {
	var acks []Ack
	if err := decode(r.Body, &acks); err != nil {
		return nil, fairlead.Errorf(fairlead.Invalid, "acknowledge blocks", "%w", err)
	}
	return nil, c.core.Ack(acks)
}

func (c *control) postElder(r *http.Request) (any, error) {
	var report elderReport
	if err := decode(r.Body, &report); err != nil {
		return nil, fairlead.Errorf(fairlead.Invalid, "hear an elder", "%w", err)
	}
	return c.core.hear(report, time.Now())
}

func (c *control) getEvents(r *http.Request) (any, error) {
	after := uint64(0)
	if text := r.FormValue("after"); text != "" {
		var err error
		if after, err = strconv.ParseUint(text, 10, 64); err != nil {
			return nil, fairlead.Errorf(fairlead.Invalid, "read events", "after %q is not a number", text)
		}
	}
	return c.core.Events(after), nil
}

// statusOf maps a code to HTTP; a client reads the code itself.
func statusOf(code fairlead.Code) int {
	switch code {
	case fairlead.Invalid:
		return http.StatusBadRequest
	case fairlead.NotFound:
		return http.StatusNotFound
	case fairlead.Conflict:
		return http.StatusConflict
	case fairlead.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

func reply(w http.ResponseWriter, answer any, err error) {
	if err != nil {
		code := fairlead.CodeOf(err)
		sendProblem(w, problem{Status: statusOf(code), Code: code, Detail: err.Error(), Hint: fairlead.HintOf(err)})
		return
	}
	if answer == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(answer) // a client that is gone asks again
}
