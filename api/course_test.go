package api

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/store/sqlite"
)

// judged returns an engine with a rollout of its second release under way: so many
// seconds of traffic, of which the new release fails a fifth.
func judged(t testing.TB, seconds int) (*sqlite.Store, *rollout.Engine, string) {
	t.Helper()
	store, err := sqlite.Open(t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	engine, err := rollout.Open(t.Context(), store, func() time.Time { return now }, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	site := fairlead.Site{App: "triage", Env: "production"}
	feed := func(id string, blocks ...fairlead.Block) {
		in := rollout.Input{Now: now, Gates: rollout.GateState{Satisfied: true}, Blocks: blocks}
		in.New.Ready, in.Old.Ready = 1, 1
		if _, err := engine.Feed(t.Context(), id, in); err != nil {
			t.Fatal(err)
		}
	}
	var r rollout.Rollout
	for number := 1; number <= 2; number++ {
		r, err = engine.Begin(t.Context(), rollout.Beginning{
			Site: site, Release: number, Digest: fairlead.DigestOf([]byte{byte(number)}), Kind: rollout.Forward,
			By: fairlead.Principal{ID: "system:test", Role: fairlead.Admin},
			Environment: fairlead.Environment{Name: "production", Replicas: 1, Strategy: fairlead.Strategy{
				Type: fairlead.Canary, Alpha: 1.0 / 300, Beta: 1.0 / 20, Tolerance: 1, Margin: fairlead.Margin{Ratio: 2, Absolute: 0.01},
				Steps: []fairlead.Percent{50}, MaxStep: fairlead.Duration(time.Hour),
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		feed(r.ID)
	}
	for second := range seconds {
		now = now.Add(time.Second)
		cell := fairlead.Cell{Second: now.Unix(), Epoch: 1, Complete: true}
		for unit := range uint64(10) {
			arm := []*fairlead.Arm{&cell.Stable, &cell.Canary}[unit%2]
			arm.Requests, arm.Ended = arm.Requests+1, arm.Ended+1
			id := (uint64(second)*10 + unit) * 0x9e3779b97f4a7c15
			arm.Units = append(arm.Units, id)
			arm.Latency[20+unit]++
			if unit == 1 {
				arm.Failed[fairlead.ServerError]++
				arm.Hits[fairlead.Failures] = append(arm.Hits[fairlead.Failures], id)
			}
		}
		feed(r.ID, fairlead.Block{Gateway: "boot", Seq: uint64(second + 1), Site: site, Rollout: r.ID, At: now.UnixMilli(), Cells: []fairlead.Cell{cell}})
	}
	return store, engine, r.ID
}

func TestAViewerReadsTheCourseOfARollout(t *testing.T) {
	store, engine, id := judged(t, 20)
	c := testConfig(fairlead.Viewer)
	c.Engine, c.Courses = engine, rollout.NewCourses(store)
	h := New(c)
	w := ask(h, http.MethodGet, "/v1/rollouts/"+id+"/course", nil)
	var course client.Course
	strict := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&course); err != nil || w.Code != http.StatusOK {
		t.Fatalf("status %d: %v: %s", w.Code, err, w.Body)
	}
	state, err := engine.Find(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var stable, canary client.Arm
	for _, s := range course.Samples {
		stable.Requests, stable.Failed = stable.Requests+s.Stable.Requests, stable.Failed+s.Stable.Failed
		canary.Requests, canary.Failed = canary.Requests+s.Canary.Requests, canary.Failed+s.Canary.Failed
	}
	if stable != arm(state.Tally.Stable) || canary != arm(state.Tally.Canary) || canary.Failed == 0 {
		t.Errorf("the samples count %+v and %+v, the rollout %+v", stable, canary, state.Tally)
	}
	if course.Rollout != id || course.Error != 0.05 || course.EachSecs != 1 || course.Needed.Safety != 20 || len(course.Marks) < 3 {
		t.Errorf("the course is %+v", course)
	}
	last := course.Samples[len(course.Samples)-1]
	failures, latency := last.Canary.Failures, last.Canary.Latency
	if failures == nil || failures.Low > 0.2 || failures.High < 0.2 || last.Share == nil || last.Stable.Failures.High > failures.High {
		t.Errorf("the newest sample is %+v", last)
	}
	if latency == nil || latency[0].Low > latency[0].Estimate || latency[0].High > latency[1].High || !latency[2].Open {
		t.Errorf("the bands of latency are %+v", latency)
	}
	if got := ask(h, http.MethodGet, "/v1/rollouts/ro-none/course", nil); got.Code != http.StatusNotFound {
		t.Errorf("the course of no rollout: status %d, want 404: %s", got.Code, got.Body)
	}
}
