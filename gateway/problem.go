package gateway

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/fairlead/fairlead"
)

// problem is an RFC 9457 body.
type problem struct {
	Type   string        `json:"type"`
	Title  string        `json:"title"`
	Status int           `json:"status"`
	Code   fairlead.Code `json:"code"`
	Detail string        `json:"detail"`
	Hint   string        `json:"hint,omitempty"`
}

// writeProblem answers a client of an app.
func writeProblem(w http.ResponseWriter, status int, detail string) {
	code := fairlead.Unavailable
	switch {
	case status == http.StatusNotFound:
		code = fairlead.NotFound
	case status < 500:
		code = fairlead.Invalid
	}
	sendProblem(w, problem{Status: status, Code: code, Detail: "fairlead gateway: " + detail})
}

func sendProblem(w http.ResponseWriter, p problem) {
	p.Type, p.Title = "about:blank", http.StatusText(p.Status)
	body, err := json.Marshal(p)
	if err != nil {
		panic(err) // plain fields marshal
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	w.Write(append(body, '\n')) // a client that is gone needs no answer
}

// fail answers a request that got no answer from an instance, and counts why. It
// is the ErrorHandler of the exchange's ReverseProxy.
func (x *exchange) fail(w http.ResponseWriter, _ *http.Request, err error) {
	x.setSession(w.Header())
	x.setTrace(w.Header())
	var why error
	if x.cause != nil {
		why = x.cause()
	}
	if queued := x.queuedFor(); queued != "" {
		w.Header().Set(queuedHeader, queued)
	}
	switch {
	case errors.Is(err, errLineFull), errors.Is(err, errLineLong):
		w.Header().Set("Retry-After", "2")
		writeProblem(w, http.StatusServiceUnavailable, "a new release takes the place of this app, and "+err.Error()+"; try again soon")
	case errors.Is(err, errNothing):
		w.Header().Set("Retry-After", "1")
		writeProblem(w, http.StatusServiceUnavailable, "no instance of this app is ready; try again soon")
	case errors.Is(why, errSlowUpload):
		writeProblem(w, http.StatusRequestTimeout, "the request did not arrive in time")
	case errors.Is(why, errDeadline):
		x.observed.fail(fairlead.Timeout)
		writeProblem(w, http.StatusGatewayTimeout, "the app did not begin its answer within "+x.timeout.String())
	case why != nil: // the client is gone, or the gateway stops
		writeProblem(w, http.StatusBadGateway, "the request was given up")
	case x.body.broke():
		writeProblem(w, http.StatusBadRequest, "the request's body could not be read")
	default:
		x.observed.fail(fairlead.Reset)
		writeProblem(w, http.StatusBadGateway, "the app closed the connection before it answered")
	}
}
