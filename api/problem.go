package api

import (
	"encoding/json"
	"net/http"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

// problem is an error as RFC 9457 has it.
type problem struct{ client.Problem }

// Error returns the cause.
func (p *problem) Error() string { return p.Detail }

// GetStatus returns the HTTP status.
func (p *problem) GetStatus() int { return p.Status }

// ContentType returns the media type of problems.
func (p *problem) ContentType(string) string { return "application/problem+json" }

// MarshalJSON writes the fields of RFC 9457 and ours.
func (p *problem) MarshalJSON() ([]byte, error) { return json.Marshal(p.Problem) }

// status is where codes become HTTP statuses, once.
var status = map[fairlead.Code]int{
	fairlead.Invalid:      http.StatusBadRequest,
	fairlead.NotFound:     http.StatusNotFound,
	fairlead.Conflict:     http.StatusConflict,
	fairlead.Unauthorized: http.StatusUnauthorized,
	fairlead.Forbidden:    http.StatusForbidden,
	fairlead.Unavailable:  http.StatusServiceUnavailable,
	fairlead.Unsupported:  http.StatusNotImplemented,
	fairlead.Corrupt:      http.StatusInternalServerError,
	fairlead.Internal:     http.StatusInternalServerError,
}

func asProblem(err error) *problem {
	code := fairlead.CodeOf(err)
	return &problem{client.Problem{
		Type: "about:blank", Title: http.StatusText(status[code]), Status: status[code],
		Detail: err.Error(), Code: code, Hint: fairlead.HintOf(err),
	}}
}

// refuse answers a plain handler's request with an error.
func refuse(w http.ResponseWriter, err error) {
	p := asProblem(err)
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the caller may be gone
}
