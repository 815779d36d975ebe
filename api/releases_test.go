package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
)

func TestALookAtAnAppReadsNoReleaseButItsNewestAndThoseWithTraffic(t *testing.T) {
	s := newScene(t)
	s.commit("test", fairlead.Row{Kind: fairlead.ReleaseRow, Key: fairlead.ReleaseKey("triage", 0), Value: []byte(`"not a release"`)})
	for _, path := range []string{"/v1/apps", "/v1/apps/triage", "/v1/apps/triage/releases?limit=1"} {
		if w := ask(s.api, http.MethodGet, path, nil); w.Code != http.StatusOK {
			t.Errorf("%s reads a release that it does not need: status %d: %s", path, w.Code, w.Body)
		}
	}
	if w := ask(s.api, http.MethodGet, "/v1/apps/triage/releases", nil); w.Code == http.StatusOK {
		t.Error("the list of all releases is shown without one that cannot be read")
	}
}

// BenchmarkLooksAtAnAppOfManyReleases is what the console asks every half second for the
// fleet, and for an app's page, where the app has 5,000 releases.
func BenchmarkLooksAtAnAppOfManyReleases(b *testing.B) {
	s := newScene(b)
	var c fairlead.Change
	for number := 3; number <= 5000; number++ {
		r := fairlead.Release{
			App: "triage", Number: number, Digest: fairlead.DigestOf(fmt.Append(nil, number)), Created: time.Unix(int64(number), 0).UTC(),
			Content: fairlead.Content{Command: []string{"./triage"}, Port: 8080, Env: map[string]string{"LEVEL": "info"}},
			Policy:  []fairlead.Environment{{Name: "dev"}, {Name: "qa"}, {Name: "production"}},
		}
		value, err := json.Marshal(r)
		if err != nil {
			b.Fatal(err)
		}
		c.Entries = append(c.Entries, fairlead.Entry{
			Time: s.now, Kind: "release.created", Site: fairlead.Site{App: "triage"}, Principal: "system:test", Data: []byte("{}"),
			Rows: []fairlead.Row{{Kind: fairlead.ReleaseRow, Key: fairlead.ReleaseKey("triage", number), Value: value}},
		})
	}
	if _, err := s.store.Commit(context.Background(), c); err != nil {
		b.Fatal(err)
	}
	for _, path := range []string{"/v1/apps", "/v1/apps/triage/releases?limit=25"} {
		b.Run(path[len("/v1/"):], func(b *testing.B) {
			for b.Loop() {
				if w := ask(s.api, http.MethodGet, path, nil); w.Code != http.StatusOK {
					b.Fatalf("status %d: %s", w.Code, w.Body)
				}
			}
		})
	}
}
