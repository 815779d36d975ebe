package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/rollout"
)

// reports takes what is told of quality, and refuses the rest.
type reports struct{ told []rollout.Told }

func (r *reports) Report(_ context.Context, told []rollout.Told, _ fairlead.Principal) ([]rollout.Receipt, error) {
	receipts := make([]rollout.Receipt, len(told))
	for i, t := range told {
		switch t.Signal {
		case "quality":
			r.told = append(r.told, t)
		case "again":
			receipts[i].Repeated = true
		default:
			receipts[i].Err = fairlead.Errorf(fairlead.Conflict, "report", "it has ended").WithHint("be quicker")
		}
	}
	return receipts, nil
}

func reportingAPI(t *testing.T, role fairlead.Role) (http.Handler, *reports) {
	t.Helper()
	c, to := testConfig(role), &reports{}
	now := time.Unix(1e9, 0)
	c.Reports, c.Now = to, func() time.Time { return now }
	return New(c), to
}

// post posts signals and returns the status with what was answered.
func post(h http.Handler, body string) (int, client.SignalsTaken, client.Problem) {
	w := ask(h, http.MethodPost, signalsPath, func(r *http.Request) {
		r.Body = io.NopCloser(strings.NewReader(body))
		r.ContentLength = int64(len(body))
		r.Header.Set("Content-Type", "application/json")
	})
	var taken client.SignalsTaken
	var p client.Problem
	_ = json.Unmarshal(w.Body.Bytes(), &taken)
	_ = json.Unmarshal(w.Body.Bytes(), &p)
	return w.Code, taken, p
}

func TestAReporterMayReportAndDoNothingElse(t *testing.T) {
	h, to := reportingAPI(t, fairlead.Reporter)
	if status, taken, p := post(h, `{"trace":"a","signal":"quality","value":0.7}`); status != http.StatusAccepted || taken.Taken != 1 {
		t.Errorf("status %d, %+v, %+v", status, taken, p)
	}
	if len(to.told) != 1 || to.told[0] != (rollout.Told{Trace: "a", Signal: "quality", Value: 0.7}) {
		t.Errorf("told %+v", to.told)
	}
	for _, call := range []string{"GET /v1/signals", "GET /v1/version", "GET /v1/apps", "GET /v1/events", "GET /openapi.json", "POST /v1/deploy", "POST /v1/shutdown", "GET /v1/tokens", "POST /v1/blobs/missing"} {
		method, path, _ := strings.Cut(call, " ")
		if got := ask(h, method, path, nil).Code; got != http.StatusForbidden {
			t.Errorf("%s: status %d, want 403", call, got)
		}
	}
}

func TestOfSeveralValuesTheAnswerSaysWhichAreRefused(t *testing.T) {
	h, _ := reportingAPI(t, fairlead.Reporter)
	status, taken, _ := post(h, `{"reports":[{"trace":"a","signal":"quality","value":1},{"trace":"a","signal":"again","value":1},{"trace":"a","signal":"gone","value":1}]}`)
	want := client.SignalRefused{Index: 2, Code: fairlead.Conflict, Detail: "it has ended", Hint: "be quicker"}
	if status != http.StatusAccepted || taken.Taken != 1 || taken.Repeated != 1 || len(taken.Refused) != 1 || taken.Refused[0] != want {
		t.Errorf("status %d, %+v", status, taken)
	}
	status, _, p := post(h, `{"trace":"a","signal":"gone","value":1}`)
	if status != http.StatusConflict || p.Detail != "it has ended" || p.Hint != "be quicker" {
		t.Errorf("of one: status %d, %+v", status, p)
	}
}

func TestABodyThatSaysTooLittleOrTooMuchIsRefused(t *testing.T) {
	h, to := reportingAPI(t, fairlead.Reporter)
	many := strings.TrimSuffix(strings.Repeat(`{"trace":"a","signal":"quality","value":1},`, signalsMost+1), ",")
	for _, body := range []string{
		``, `{}`, `[]`, `{"trace":"a","signal":"quality"}`, `{"trace":"a","signal":"quality","value":"1"}`, `{"trace":"a","signal":"quality","value":NaN}`,
		`{"trace":"a","signal":"quality","value":1e999}`, `{"reports":[]}`, `{"reports":[` + many + `]}`, `{"reports":[{"trace":"a","signal":"quality"}]}`,
		`{"trace":"a","signal":"quality","value":1,"reports":[{"trace":"a","signal":"quality","value":1}]}`,
		`{"trace":"` + strings.Repeat("a", 201) + `","signal":"quality","value":1}`, `{"trace":"a","signal":"quality","value":1,"more":1}`,
		`{"trace":"` + strings.Repeat("a", signalsBytes) + `"}`,
	} {
		if status, _, _ := post(h, body); status < 400 || status > 499 {
			t.Errorf("%.60s: status %d", body, status)
		}
	}
	if len(to.told) != 0 {
		t.Errorf("taken: %+v", to.told)
	}
}

func TestOnePrincipalsCallsAreBounded(t *testing.T) {
	h, to := reportingAPI(t, fairlead.Reporter)
	refused := 0
	for i := range callsPerSecond + 50 {
		status, _, p := post(h, fmt.Sprintf(`{"trace":"%d","signal":"quality","value":1}`, i))
		if status == http.StatusServiceUnavailable && p.Hint != "" {
			refused++
		}
	}
	if refused != 50 || len(to.told) != callsPerSecond {
		t.Errorf("%d refused, %d taken", refused, len(to.told))
	}
	p := pace{left: map[fairlead.Sealed]allowance{}}
	now := time.Unix(1e9, 0)
	for p.allow("a", 1, now) {
	}
	if !p.allow("b", 1, now) {
		t.Error("what one principal does bounds another")
	}
	if !p.allow("a", 1, now.Add(time.Second/callsPerSecond)) || p.allow("a", 1, now.Add(time.Second/callsPerSecond)) {
		t.Error("an allowance does not come back at its pace")
	}
}

// Reading a body is most of a call's work, also of one that is then refused.
func TestACallCountsByItsSizeWhateverItSays(t *testing.T) {
	h, _ := reportingAPI(t, fairlead.Reporter)
	body, read := strings.Repeat("x", signalsBytes), 0
	for range 20 {
		if status, _, _ := post(h, body); status != http.StatusServiceUnavailable {
			read++
		}
	}
	if most := callsPerSecond / (1 + signalsBytes/callBytes); read != most {
		t.Errorf("%d full bodies were read at once, want %d", read, most)
	}
}
