package clitest

import (
	"encoding/json"
	"net/http"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

// signals takes quality of any trace but one called gone, each value once.
func (s *Server) signals(r *http.Request) (any, error) {
	var in client.Signals
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	reports, taken := in.Reports, client.SignalsTaken{}
	if in.Value != nil {
		reports = []client.SignalReport{{Trace: in.Trace, Signal: in.Signal, Value: *in.Value}}
	}
	for i, report := range reports {
		err := refusal(report)
		switch known := s.reported[report.Trace+" "+report.Signal]; {
		case err != nil && in.Value != nil:
			return nil, err
		case err != nil:
			taken.Refused = append(taken.Refused, client.SignalRefused{Index: i, Code: err.Code, Detail: err.Err.Error(), Hint: err.Hint})
		case known:
			taken.Repeated++
		default:
			taken.Taken++
			s.reported[report.Trace+" "+report.Signal] = true
		}
	}
	return taken, nil
}

func refusal(r client.SignalReport) *fairlead.Error {
	switch {
	case r.Trace == "gone":
		return fairlead.Errorf(fairlead.Conflict, "", "the rollout of the trace has ended: nothing more is judged")
	case r.Signal != "quality":
		return fairlead.Errorf(fairlead.Invalid, "", "triage declares no signal %q", r.Signal).WithHint("it declares: quality")
	}
	return nil
}

func (s *Server) createToken(r *http.Request) (any, error) {
	var n client.NewToken
	if err := json.NewDecoder(r.Body).Decode(&n); err != nil {
		return nil, err
	}
	if n.Role != fairlead.Reporter {
		return nil, fairlead.Errorf(fairlead.Invalid, "", "there is no token of the role %q", n.Role)
	}
	made := client.Token{Name: n.Name, Role: n.Role, Created: s.now(), By: "tester"}
	s.tokens = append(s.tokens, made)
	return client.MadeToken{Token: made, Text: "fl_of-" + n.Name}, nil
}

func (s *Server) revokeToken(r *http.Request) (any, error) {
	for i, t := range s.tokens {
		if t.Name == r.PathValue("name") {
			s.tokens = append(s.tokens[:i], s.tokens[i+1:]...)
			return struct{}{}, nil
		}
	}
	return nil, fairlead.Errorf(fairlead.NotFound, "", "there is no token %q", r.PathValue("name"))
}
