package api

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/rollout"
)

// slow is a deploy that a test moves: it tells what the test says, and ends as it says.
type slow struct {
	Deployments
	begun  chan func(fairlead.Progress) // what it tells with; nil where nobody listens
	finish chan error
	left   chan struct{} // closed when the caller's context ended
}

// Deploy is only as far as the test says, and is refused in the end.
func (s slow) Deploy(ctx context.Context, _ client.Deploy, by fairlead.Principal, tell func(fairlead.Progress)) (fairlead.Release, rollout.Rollout, bool, error) {
	if !by.May(fairlead.Operator) {
		return fairlead.Release{}, rollout.Rollout{}, false, fairlead.Errorf(fairlead.Forbidden, "deploy", "this needs the role operator")
	}
	s.begun <- tell
	select {
	case err := <-s.finish:
		return fairlead.Release{}, rollout.Rollout{}, false, err
	case <-ctx.Done():
		close(s.left)
		return fairlead.Release{}, rollout.Rollout{}, false, ctx.Err()
	}
}

// deploysSlowly serves deploys of a test until it ends.
func deploysSlowly(t *testing.T, role fairlead.Role) (slow, string) {
	s := slow{begun: make(chan func(fairlead.Progress), 2), finish: make(chan error, 2), left: make(chan struct{})}
	c := testConfig(role)
	c.Deployments = s
	served := httptest.NewServer(New(c))
	t.Cleanup(served.Close)
	return s, served.URL
}

// listen posts a deploy and returns what is answered, which says nothing if it failed.
func listen(ctx context.Context, t *testing.T, url, token string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/deploy/progress", strings.NewReader(`{"app":{}}`))
	if err != nil {
		t.Error(err)
		return &http.Response{Body: http.NoBody}
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
		return &http.Response{Body: http.NoBody}
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	return answer
}

func TestADeployTellsItsOwnCallerHowFarItIsAndEndsWithIt(t *testing.T) {
	s, url := deploysSlowly(t, fairlead.Operator)
	answers := make(chan *http.Response, 2)
	for range 2 {
		go func() { answers <- listen(t.Context(), t, url, "right") }()
	}
	tellFirst, tellSecond := <-s.begun, <-s.begun
	tellFirst(fairlead.Progress{Doing: "pulling one"})
	tellSecond(fairlead.Progress{Doing: "pulling two"})
	s.finish <- fairlead.Errorf(fairlead.Invalid, "deploy", "it is no image").WithHint("name one")
	s.finish <- fairlead.Errorf(fairlead.Invalid, "deploy", "it is no image").WithHint("name one")
	heard := map[string]bool{}
	for range 2 {
		answer := <-answers
		data, err := io.ReadAll(answer.Body) // ends, for the deploy does
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("status %d, %v", answer.StatusCode, err)
		}
		lines := strings.Split(strings.TrimSpace(string(data)), "\n")
		if strings.Contains(string(data), "pulling one") && strings.Contains(string(data), "pulling two") {
			t.Errorf("one caller hears of another's deploy: %s", data)
		}
		var first, last client.DeployStep
		if json.Unmarshal([]byte(lines[0]), &first) != nil || json.Unmarshal([]byte(lines[len(lines)-1]), &last) != nil || first.Progress == nil || last.Problem == nil || last.Problem.Hint != "name one" {
			t.Fatalf("it says %s", data)
		}
		heard[first.Progress.Doing] = true
	}
	if !heard["pulling one"] || !heard["pulling two"] {
		t.Errorf("heard was %v", heard)
	}
}

func TestWhatIsRefusedBeforeItTakesLongIsAPlainProblem(t *testing.T) {
	for _, c := range []struct {
		role  fairlead.Role
		token string
		want  int
	}{{fairlead.Operator, "wrong", http.StatusUnauthorized}, {fairlead.Viewer, "right", http.StatusForbidden}, {fairlead.Operator, "right", http.StatusConflict}} {
		s, url := deploysSlowly(t, c.role)
		s.finish <- fairlead.Errorf(fairlead.Conflict, "deploy", "another is under way")
		answer := listen(t.Context(), t, url, c.token)
		if answer.StatusCode != c.want || answer.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s with the token %s: status %d of %s, want %d", c.role, c.token, answer.StatusCode, answer.Header.Get("Content-Type"), c.want)
		}
	}
}

func TestWhoStopsListeningEndsTheDeploysWaitAndNobodyNeedsToListen(t *testing.T) {
	s, url := deploysSlowly(t, fairlead.Operator)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	answers := make(chan *http.Response, 1)
	go func() { answers <- listen(ctx, t, url, "right") }()
	tell := <-s.begun
	tell(fairlead.Progress{Doing: "pulling"})
	if line, err := bufio.NewReader((<-answers).Body).ReadString('\n'); err != nil || !strings.Contains(line, "pulling") {
		t.Fatalf("%q, %v", line, err)
	}
	leave()
	select {
	case <-s.left:
	case <-time.After(time.Minute):
		t.Fatal("the deploy does not hear that its caller is gone")
	}

	go func() {
		r, _ := http.NewRequest(http.MethodPost, url+"/v1/deploy", strings.NewReader(`{"app":{"apiVersion":"fairlead.dev/v1","kind":"App","metadata":{"name":"triage"},"spec":{"artifact":{"image":"triage:1"},"command":["x"]}}}`))
		r.Header.Set("Authorization", "Bearer right")
		r.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Error(err)
			answer = &http.Response{Body: http.NoBody}
		}
		answers <- answer
	}()
	select {
	case tell := <-s.begun:
		if tell != nil {
			t.Error("a deploy that nobody listens to has somebody to tell")
		}
		s.finish <- fairlead.Errorf(fairlead.Conflict, "deploy", "another is under way")
	case answer := <-answers:
		data, _ := io.ReadAll(answer.Body)
		t.Fatalf("it is refused before it begins: %s", data)
	}
	answer := <-answers
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusConflict {
		t.Errorf("status %d", answer.StatusCode)
	}
}
