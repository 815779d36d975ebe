package console

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/internal/consolecookie"
)

// lookers know one session, which is a viewer's.
type lookers struct{ people }

func (lookers) Find(token string) (Session, bool) {
	s, ok := people{}.Find(token)
	s.Who.Role, s.Name = fairlead.Viewer, "bob"
	return s, ok
}

// asking is a console over an API that takes what is asked, or refuses it.
type asking struct {
	t       *testing.T
	web     *httptest.Server
	rollout client.Rollout
	refuse  error
	path    string     // that was asked for last
	asked   client.Act // what the API got last
	times   int
}

func newAsking(t *testing.T, r client.Rollout, sessions Sessions) *asking {
	t.Helper()
	a := &asking{t: t, rollout: r}
	answers := answersOf(r)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		answer := answers[r.URL.Path]
		if r.Method == http.MethodPost {
			a.path, a.asked = r.URL.Path, client.Act{}
			_ = json.NewDecoder(r.Body).Decode(&a.asked)
			a.times++
			answer = a.rollout
			if a.refuse != nil {
				w.WriteHeader(client.StatusOf(fairlead.CodeOf(a.refuse)))
				answer = client.Problem{Detail: a.refuse.Error(), Code: fairlead.CodeOf(a.refuse), Hint: fairlead.HintOf(a.refuse)}
			}
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(api.Close)
	a.web = httptest.NewServer(New(Config{
		API: func(fairlead.Principal) *client.Client { return client.Remote(api.URL, "") }, Sessions: sessions,
		Changed: func(ctx context.Context, from uint64) (uint64, error) { <-ctx.Done(); return from, ctx.Err() },
		Now:     func() time.Time { return noon }, Hosts: []string{"127.0.0.1"}, Version: "v1",
	}))
	t.Cleanup(a.web.Close)
	a.web.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return a
}

// send posts a form as the person of the session.
func (a *asking) send(path string, form url.Values) (status int, location, page string) {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, a.web.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", a.web.URL)
	r.AddCookie(&http.Cookie{Name: consolecookie.Of(r.Host), Value: aToken})
	resp, err := a.web.Client().Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Location"), string(body)
}

var hidden = regexp.MustCompile(`<input type="hidden" name="(\w+)" value="([^"]*)">`)

// form is what the page of an action would send.
func (a *asking) form(path string) url.Values {
	a.t.Helper()
	code, page := get(a.t, a.web, path)
	_, inner, found := strings.Cut(page, `id="act-form"`)
	if code != http.StatusOK || !found {
		a.t.Fatalf("%s has no form: status %d\n%s", path, code, page)
	}
	form := url.Values{}
	for _, field := range hidden.FindAllStringSubmatch(inner, -1) {
		form.Set(field[1], field[2])
	}
	return form
}

func TestAnActionIsConfirmedOnAPageThatSaysWhatWillHappen(t *testing.T) {
	a := newAsking(t, aRollout(nil), people{})
	_, page := get(t, a.web, "/rollouts/ro-3/rollback")
	has(t, page, "Roll back to triage@2?", "triage@2 gets all traffic back at once: triage@3 has 10 % now.", "(optional)", `name="to" value="2"`)
	form := a.form("/rollouts/ro-3/rollback")
	form.Set("reason", "wrong answers in German")
	code, location, _ := a.send("/rollouts/ro-3/rollback", form)
	if code != http.StatusSeeOther || location != "/rollouts/ro-3?done=rollback" {
		t.Errorf("status %d to %s", code, location)
	}
	if want := (client.Act{Reason: "wrong answers in German", Rollout: "ro-3", To: 2}); a.path != "/v1/sites/triage/production/rollback" || a.asked != want {
		t.Errorf("%s was asked %+v, want %+v", a.path, a.asked, want)
	}
	_, page = get(t, a.web, location)
	has(t, page, "You have rolled it back.")
}

func TestAReasonIsDemandedWhereTheAPIDoes(t *testing.T) {
	r := aRollout(func(r *client.Rollout, _ *client.Report) {
		r.Held, r.Can, r.NeedsReason, r.Would = "share mismatch", []string{"resume", "abort"}, []string{"resume"}, map[string]string{"resume": "It goes on at 10 %."}
	})
	a := newAsking(t, r, people{})
	_, page := get(t, a.web, "/rollouts/ro-3/resume")
	has(t, page, " required>", "why the releases can be compared")
	if strings.Contains(page, "(optional)") {
		t.Error("the reason that is demanded is called optional")
	}
}

func TestAnActionThatIsRefusedKeepsWhatWasWritten(t *testing.T) {
	a := newAsking(t, aRollout(nil), people{})
	a.refuse = fairlead.Errorf(fairlead.Conflict, "", "another rollout has come after the one that is meant").WithHint("look at what is there now")
	form := a.form("/rollouts/ro-3/abort")
	form.Set("reason", `wrong <b>answers</b> & "more"`)
	code, _, page := a.send("/rollouts/ro-3/abort", form)
	if code != http.StatusConflict {
		t.Errorf("status %d", code)
	}
	has(t, page, "It was not done.", "Another rollout has come after", "Look at what is there now.", `wrong &lt;b&gt;answers&lt;/b&gt; &amp; &#34;more&#34;</textarea>`)
}

func TestAnActionThatIsNotPossibleHasNoForm(t *testing.T) {
	a := newAsking(t, aRollout(nil), people{})
	code, page := get(t, a.web, "/rollouts/ro-3/resume")
	if code != http.StatusConflict || strings.Contains(page, "act-form") {
		t.Errorf("status %d", code)
	}
	has(t, page, "There is nothing to resume now", "Back to the rollout")
}

func TestAFormOfNoPageDoesNothing(t *testing.T) {
	a := newAsking(t, aRollout(nil), people{})
	form := a.form("/rollouts/ro-3/abort")
	form.Set(csrfField, strings.Repeat("0", 64))
	if code, _, _ := a.send("/rollouts/ro-3/abort", form); code != http.StatusForbidden || a.times != 0 {
		t.Errorf("status %d, and it was asked %d times", code, a.times)
	}
}

func TestALongReasonIsGivenBack(t *testing.T) {
	a := newAsking(t, aRollout(nil), people{})
	form := a.form("/rollouts/ro-3/abort")
	form.Set("reason", strings.Repeat("a", mostReason+1))
	code, _, page := a.send("/rollouts/ro-3/abort", form)
	if code != http.StatusBadRequest || a.times != 0 || !strings.Contains(page, strings.Repeat("a", mostReason+1)) {
		t.Errorf("status %d, asked %d times", code, a.times)
	}
}

func TestAViewerIsShownNoActionAndToldWhy(t *testing.T) {
	a := newAsking(t, aRollout(nil), lookers{})
	_, page := get(t, a.web, "/rollouts/ro-3")
	has(t, page, "You may look and not act: what moves this rollout needs the role operator.")
	if strings.Contains(page, "data-act") {
		t.Error("a viewer is shown an action")
	}
	code, page := get(t, a.web, "/rollouts/ro-3/abort")
	if code != http.StatusForbidden || strings.Contains(page, "act-form") {
		t.Errorf("a viewer who opens an action's page: status %d", code)
	}
	has(t, page, "this needs the role operator")
}

func TestARollbackThatBeginsAnotherRolloutLeadsThere(t *testing.T) {
	r := aRollout(func(r *client.Rollout, _ *client.Report) {
		r.Phase, r.Outcome, r.Can, r.BackTo = "ended", client.Promoted, []string{"rollback"}, 2
	})
	a := newAsking(t, r, people{})
	a.rollout.ID = "ro-back"
	if _, location, _ := a.send("/rollouts/ro-3/rollback", a.form("/rollouts/ro-3/rollback")); location != "/rollouts/ro-back?done=rollback" {
		t.Errorf("it leads to %s", location)
	}
}
