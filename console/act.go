package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

// mostReason is the longest reason that a form takes, in bytes.
const mostReason = 1000

// actPages serves what a person asks of a rollout: a page that says what will happen, and
// the form on it.
func (s *console) actPages(mux *http.ServeMux) {
	for _, a := range actions {
		path := "/rollouts/{id}/" + a.Name
		mux.Handle("GET "+path, s.logged(func(w http.ResponseWriter, r *http.Request, session Session) {
			s.askAct(w, r, session, asked{action: a}, http.StatusOK)
		}))
		s.post(mux, path, func(w http.ResponseWriter, r *http.Request, session Session) { s.act(w, r, session, a) })
	}
}

// action is one thing that a person can ask of a rollout.
type action struct {
	Name  string // of the API
	Label string // on a button
	Did   string // after it is done
	Tone  string // of the button that does it: primary or danger
}

// actions are in the order in which they are offered.
var actions = []action{
	{"pause", "Pause", "You have paused it.", "primary"},
	{"resume", "Resume", "You have let it go on.", "primary"},
	{"rollback", "Roll back", "You have rolled it back.", "danger"},
	{"abort", "Abort", "You have aborted it.", "danger"},
}

// Actions are those that are possible now. Once its traffic went back, a rollout has
// nothing more to roll back: what its site can still go back to stands under what to do next.
func (p rolloutPage) Actions() []action {
	if p.Over() && p.Outcome != client.Promoted {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(actions), func(a action) bool {
		same := a.Name == "rollback" && !p.Over() && p.FirstTraffic.IsZero() // before its traffic it is what abort does
		return same || !slices.Contains(p.Can, a.Name)
	})
}

// asked is an action that is asked for, as its page shows it.
type asked struct {
	action
	client.Rollout
	Reason  string // as far as it is written
	Needs   bool   // it is taken only with a reason
	To      int    // of a rollback: the release that it brings back
	CSRF    string
	Problem error // why it was not done
	Refused bool  // it cannot be done, so that no form is shown
}

// Title asks the question.
func (a asked) Title() string {
	if a.action.Name == "rollback" {
		return fmt.Sprintf("Roll back to %s?", releaseName(a.App, a.To))
	}
	return fmt.Sprintf("%s %s?", a.Label, releaseName(a.App, a.Rollout.To))
}

// Release is the new release's name.
func (a asked) Release() string { return releaseName(a.App, a.Rollout.To) }

// Consequence is what will happen, in numbers.
func (a asked) Consequence() string { return a.Would[a.action.Name] }

// Why says why it was not done, Hint what to do about it.
func (a asked) Why() string {
	if why := a.Problem.Error(); strings.HasPrefix(why, a.App+"@") { // a name is written as it is
		return why + "."
	}
	return asSentence(a.Problem.Error())
}

func (a asked) Hint() string { return asSentence(fairlead.HintOf(a.Problem)) }

// askAct answers with the page of an action.
func (s *console) askAct(w http.ResponseWriter, r *http.Request, session Session, a asked, status int) {
	var err error
	if a.Rollout, err = s.API(session.Who).Rollout(r.Context(), r.PathValue("id")); err != nil {
		s.fail(w, r, err)
		return
	}
	a.CSRF, a.Needs = csrfOf(r), slices.Contains(a.NeedsReason, a.action.Name)
	if a.To == 0 {
		a.To = a.BackTo
	}
	switch {
	case !session.Who.May(fairlead.Operator):
		status, a.Refused = http.StatusForbidden, true
		a.Problem = fairlead.Errorf(fairlead.Forbidden, "", "you are logged in as a %s, who may look and not act: this needs the role %s", session.Who.Role, fairlead.Operator).
			WithHint("ask an operator, or open the console as one")
	case !slices.Contains(a.Can, a.action.Name):
		if a.Refused = true; a.Problem == nil {
			status, a.Problem = http.StatusConflict, fairlead.Errorf(fairlead.Conflict, "", "there is nothing to %s now: %s stands at %q", verbOf(a.action), a.Release(), standing(a.Rollout)).
				WithHint("look at the rollout as it is now")
		}
	}
	s.show(w, r, status, session, view{
		Title: a.Title(), Still: true, Styles: []string{"rollout.css"},
		Crumbs: append(appCrumbs(a.App), crumb{a.Release() + " to " + a.Env, rolloutPath(a.ID)}),
		Parts:  []part{{ID: "act", Template: "act", Data: a, Still: true}},
	})
}

func verbOf(a action) string {
	if a.Name == "rollback" {
		return "roll back"
	}
	return a.Name
}

// act does what a form asks, and leads to the rollout that shows it.
func (s *console) act(w http.ResponseWriter, r *http.Request, session Session, a action) {
	id, form := r.PathValue("id"), r.PostForm
	again := asked{action: a, Reason: form.Get("reason")}
	_, _ = fmt.Sscanf(form.Get("to"), "%d", &again.To) // 0 for what is no number: whichever release that is
	if len(again.Reason) > mostReason {
		again.Problem = fairlead.Errorf(fairlead.Invalid, "", "the reason is longer than %d bytes", mostReason).WithHint("keep it to what a reader of the ledger needs")
		s.askAct(w, r, session, again, http.StatusBadRequest)
		return
	}
	api := s.API(session.Who)
	meant, err := api.Rollout(r.Context(), id)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	done, err := api.Act(r.Context(), fairlead.Site{App: meant.App, Env: meant.Env}, a.Name,
		client.Act{Reason: again.Reason, Rollout: id, To: again.To})
	if err != nil {
		again.Problem = err
		s.askAct(w, r, session, again, client.StatusOf(fairlead.CodeOf(err)))
		return
	}
	http.Redirect(w, r, rolloutPath(done.ID)+"?done="+a.Name, http.StatusSeeOther)
}

// did is what was just done, by its action's name; "" for none.
func did(name string) string {
	for _, a := range actions {
		if a.Name == name {
			return a.Did
		}
	}
	return ""
}

// record answers with a rollout's numbers, and its course, as a file.
func (s *console) record(w http.ResponseWriter, r *http.Request, session Session) {
	api := s.API(session.Who)
	var both struct {
		Rollout client.Rollout `json:"rollout"`
		Course  client.Course  `json:"course"`
	}
	var err error
	if both.Rollout, err = api.Rollout(r.Context(), r.PathValue("id")); err == nil {
		both.Course, err = api.Course(r.Context(), both.Rollout.ID)
	}
	data, failed := json.MarshalIndent(both, "", "  ")
	if err == nil {
		err = failed
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	download(w, "rollout-"+both.Rollout.ID+".json", "application/json", append(data, '\n'))
}
