package api

import (
	"encoding/json"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/rollout/judge"
	"github.com/fairlead/fairlead/workload"
)

func TestABandIsRoundedOutwards(t *testing.T) {
	for _, b := range []judge.Band{{Estimate: 0.123456789, Low: 0.0123456789, High: 0.987654321}, {Estimate: 1234567, Low: 0, High: 7654321, Open: true}} {
		v := viewBand(&b)
		if v.Low > b.Low || v.High < b.High || v.Open != b.Open || math.Abs(v.Estimate/b.Estimate-1) > 1e-4 || v.Low < 0.9999*b.Low || v.High > 1.0001*b.High {
			t.Errorf("%+v is told as %+v", b, *v)
		}
	}
}

func TestAnArmsTimesAreToldApart(t *testing.T) {
	latency, first := [3]judge.Band{{Estimate: 1}, {Estimate: 2}, {Estimate: 3}}, [3]judge.Band{{Estimate: 4}, {Estimate: 5}, {Estimate: 6}}
	v := viewArmSample(rollout.ArmSample{Requests: 7, Failed: 8, Latency: &latency, First: &first})
	for i := range 3 {
		if v.Latency[i].Estimate != latency[i].Estimate || v.First[i].Estimate != first[i].Estimate {
			t.Errorf("quantile %d is told as %v and %v", i, v.Latency[i].Estimate, v.First[i].Estimate)
		}
	}
	if v.Requests != 7 || v.Failed != 8 {
		t.Errorf("%d of %d failed", v.Failed, v.Requests)
	}
}

func TestAListOfEntriesHasNoData(t *testing.T) {
	b := newBook(t)
	b.decided(t, "traffic looks odd")
	found, err := b.client.Record(t.Context(), client.RecordQuery{})
	if err != nil || len(found.Entries) == 0 {
		t.Fatalf("%+v, %v", found, err)
	}
	for _, e := range found.Entries {
		if e.Data != nil || e.Kind == "" {
			t.Errorf("entry %d of a list has data: %s", e.Seq, e.Data)
		}
	}
}

func TestASiteHasItsOwnInstancesThatHaveNotExited(t *testing.T) {
	s := newScene(t)
	state, err := s.engine.Find(t.Context(), s.id)
	if err != nil {
		t.Fatal(err)
	}
	state.Rollout, state.Live.Stable = nil, 0 // so that no release is looked up
	here := state.Live.Site
	site, err := (&server{Config: Config{Now: func() time.Time { return s.now }, Seen: &rollout.Seen{}, Volumes: noVolumes{}}}).viewSite(t.Context(), state, []workload.Status{
		{ID: "ours", Site: here, State: workload.Ready}, {ID: "gone", Site: here, State: workload.Exited},
		{ID: "another's", Site: fairlead.Site{App: here.App, Env: "staging"}, State: workload.Ready},
	})
	if err != nil || len(site.Instances) != 1 || site.Instances[0].ID != "ours" {
		t.Errorf("they are %+v, %v", site.Instances, err)
	}
}

func TestWhatNeedsAReasonIsSaidToNeedOne(t *testing.T) {
	s := newScene(t)
	state, err := s.engine.Find(t.Context(), s.id)
	if err != nil {
		t.Fatal(err)
	}
	for held, want := range map[string]int{rollout.HeldMismatch: 1, rollout.HeldPaused: 0} {
		r := *state.Rollout
		r.Held, state.Rollout = held, &r
		var v client.Rollout
		asks(&v, state)
		if len(v.NeedsReason) != want {
			t.Errorf("held for %q, %v need a reason, of %v", held, v.NeedsReason, v.Can)
		}
	}
}

func TestAListOfManyFilesSaysHowManyItLeavesOut(t *testing.T) {
	w := openWorkshop(t)
	files := map[string]string{"prompt.txt": "x"}
	for i := range maxFiles + 10 {
		files[string(rune('a'+i%26))+string(rune('a'+i/26))] = "x"
	}
	w.release(files)
	answer := ask(w.handler, http.MethodGet, "/v1/apps/triage/releases/1/files", nil)
	var l client.ReleaseFiles
	if err := json.Unmarshal(answer.Body.Bytes(), &l); err != nil {
		t.Fatal(err)
	}
	if l.Count != maxFiles+11 || l.More == 0 || l.More != l.Count-len(l.Files) {
		t.Errorf("of %d files %d are listed and %d left out", l.Count, len(l.Files), l.More)
	}
}
