package api

import (
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/internal/disk"
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

// asProblem puts an error on the wire: why apart from what was tried, so that a
// caller can name it in words of its own.
func asProblem(err error) *problem {
	code, op, why := fairlead.CodeOf(err), "", err
	if known, ok := err.(*fairlead.Error); ok {
		op, why = known.Op, known.Err
	}
	hint := fairlead.HintOf(err)
	if disk.Full(err) {
		code, hint = fairlead.Unavailable, disk.FullHint
	}
	status := client.StatusOf(code)
	return &problem{client.Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status,
		Detail: why.Error(), Code: code, Op: op, Hint: hint,
	}}
}

// asOurs makes a problem of what huma refuses by itself, such as a malformed body.
// The body itself is not in it: it may hold a secret. It is a huma.Transformer.
func asOurs(_ huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	code := fairlead.Invalid
	if m.Status >= http.StatusInternalServerError {
		code = fairlead.Internal
	}
	detail := m.Detail
	for _, e := range m.Errors {
		detail += "; " + e.Location + ": " + e.Message
	}
	return &problem{client.Problem{
		Type: "about:blank", Title: m.Title, Status: m.Status, Detail: detail, Code: code,
		Hint: "see what the call takes: GET /openapi.json",
	}}, nil
}

// unknown answers calls of paths that the API does not have.
func unknown(w http.ResponseWriter, r *http.Request) {
	refuse(w, fairlead.Errorf(fairlead.NotFound, "", "there is no %s %q", r.Method, r.URL.Path).
		WithHint("see which there are: GET /openapi.json"))
}

// refuse answers a plain handler's request with an error.
func refuse(w http.ResponseWriter, err error) {
	p := asProblem(err)
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the caller may be gone
}
