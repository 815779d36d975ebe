package api

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/rollout"
)

// Reports takes values of requests that were answered; see rollout.Loop.Report.
type Reports interface {
	Report(ctx context.Context, told []rollout.Told, by fairlead.Principal) ([]rollout.Receipt, error)
}

const (
	signalsPath  = "/v1/signals"
	signalsMost  = 1000    // values in one call
	signalsBytes = 1 << 20 // of one call's body
)

// took is the answer 202: what is taken is recorded.
type took struct {
	Status int
	Body   client.SignalsTaken
}

func (s *server) registerSignals(api huma.API) {
	op := huma.Operation{
		OperationID: "reportSignals", Method: http.MethodPost, Path: signalsPath, MaxBodyBytes: signalsBytes, DefaultStatus: http.StatusAccepted,
		Summary: "Report values of requests",
		Description: "Takes one value, or up to 1000 under reports. 202 means that what was taken is recorded. " +
			"A value that is reported again counts once, so that a call may be repeated. " +
			"A single value that is not taken is an error; of many, the answer says which were refused and why.",
	}
	huma.Register(api, op, func(ctx context.Context, in *struct{ Body client.Signals }) (*took, error) {
		taken, err := s.report(ctx, in.Body)
		if err != nil {
			return nil, asProblem(err)
		}
		return &took{http.StatusAccepted, taken}, nil
	})
}

func (s *server) report(ctx context.Context, in client.Signals) (client.SignalsTaken, error) {
	told, err := toldOf(in)
	if err != nil {
		return client.SignalsTaken{}, err
	}
	receipts, err := s.Config.Reports.Report(ctx, told, principal(ctx))
	if err != nil {
		return client.SignalsTaken{}, err
	}
	if len(in.Reports) == 0 && receipts[0].Err != nil {
		return client.SignalsTaken{}, receipts[0].Err
	}
	var taken client.SignalsTaken
	for i, r := range receipts {
		switch {
		case r.Err != nil:
			p := asProblem(r.Err)
			taken.Refused = append(taken.Refused, client.SignalRefused{Index: i, Code: p.Code, Detail: p.Detail, Hint: p.Hint})
		case r.Repeated:
			taken.Repeated++
		default:
			taken.Taken++
		}
	}
	return taken, nil
}

// toldOf returns the values of a call: one, or several under reports.
func toldOf(in client.Signals) ([]rollout.Told, error) {
	one := in.Trace != "" || in.Signal != "" || in.Value != nil
	wrong := func(format string, args ...any) ([]rollout.Told, error) {
		return nil, fairlead.Errorf(fairlead.Invalid, "report", format, args...).
			WithHint(`send {"trace": "...", "signal": "quality", "value": 0.7}, or a list of those under "reports"`)
	}
	switch {
	case one && len(in.Reports) > 0:
		return wrong("there is a value beside reports")
	case one && in.Value == nil:
		return wrong("there is no value")
	case one:
		return []rollout.Told{{Trace: in.Trace, Signal: in.Signal, Value: *in.Value}}, nil
	case len(in.Reports) == 0:
		return wrong("nothing is reported")
	case len(in.Reports) > signalsMost:
		return wrong("%d values are reported; a call takes %d at most", len(in.Reports), signalsMost)
	}
	told := make([]rollout.Told, len(in.Reports))
	for i, r := range in.Reports {
		told[i] = rollout.Told{Trace: r.Trace, Signal: r.Signal, Value: r.Value}
	}
	return told, nil
}

// callsPerSecond is how many calls of one principal report in the long run; as many
// more may come at once. A body of callBytes counts as a call more, so that full calls
// bring about 25,000 values a second, a third of a core's work.
const (
	callsPerSecond = 200
	callBytes      = 16 << 10
)

// paced refuses a call that comes too soon, before its body is read.
func (s *server) paced(r *http.Request, who fairlead.Principal) error {
	size := r.ContentLength
	if size < 0 || size > signalsBytes {
		size = signalsBytes // that much of it is read
	}
	if !s.pace.allow(who.ID, 1+float64(size/callBytes), s.Now()) {
		return fairlead.Errorf(fairlead.Unavailable, "report", "more than %d calls a second, of %d KiB each", callsPerSecond, callBytes>>10).
			WithHint("send several values in one call, up to %d under reports, and wait a second after this answer", signalsMost)
	}
	return nil
}

// pace bounds the calls of each principal. It is safe for concurrent use. Principals
// are few: persons of the machine, and tokens that an administrator made.
type pace struct {
	mu   sync.Mutex
	left map[fairlead.Sealed]allowance
}

type allowance struct {
	calls float64
	at    time.Time
}

// allow counts a call for so many, and reports whether it may be.
func (p *pace) allow(who fairlead.Sealed, calls float64, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	a, known := p.left[who]
	if !known {
		a = allowance{calls: callsPerSecond, at: now}
	}
	a.calls = min(callsPerSecond, a.calls+callsPerSecond*max(0, now.Sub(a.at).Seconds()))
	a.at = now
	allowed := a.calls >= calls
	if allowed {
		a.calls -= calls
	}
	p.left[who] = a
	return allowed
}
