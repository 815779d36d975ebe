package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/api/client"
)

// copiesFirst is a strategy whose first step is made of copies of requests. Nothing of
// its judging of harm is loosened.
const copiesFirst = `{steps: [0, 10, 50], mirror: {share: 50, methods: [GET, POST]}, ` +
	`beta: 0.3, margin: {ratio: 5, absolute: 0.2}, warmup: 100ms, minStep: 1s, rollbackWindow: 10m}`

func mirrored() appFile {
	return appFile{environments: "    - {name: production, strategy: " + copiesFirst + "}\n"}
}

// copies is how many copies of requests the gateway has sent.
func (w *world) copies() int {
	w.Helper()
	return int(w.metrics()["fairlead_gateway_mirrored_total"])
}

func TestAReleaseThatFailsCopiesOfRequestsIsRolledBackBeforeAClientMeetsIt(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.deploy(0, behaviour{Version: "v1"}, mirrored())
	l := w.startLoad(w.host())
	broken := w.deploy(3, behaviour{Version: "broken", Failures: 1}, mirrored())
	if r := broken.Rollout; r.Verdict.Finding != "harmful" || r.Canary.Requests != 0 || r.Weight != 0 {
		t.Errorf("%+v", r)
	}
	ended := w.reaches("at its end", func(r client.Rollout) bool { return r.Phase == "ended" })
	if last := ended.Story[len(ended.Story)-1]; !strings.Contains(last, "no client met") {
		t.Errorf("the story ends: %q", last)
	}
	sent := w.copies()
	seen := l.by(1)
	eventually(t, 20*time.Second, "traffic goes on", func() bool { return l.by(1) > seen+200 })
	if now := w.copies(); sent == 0 || now != sent {
		t.Errorf("%d copies, and %d more after the end", sent, now-sent)
	}
	l.stop()
	if l.by(2) != 0 || len(l.failed) != 0 {
		t.Errorf("release 2 answered %d clients; failed requests by release: %v", l.by(2), l.failed)
	}
	w.proven()
}

func TestCopiesEndWhileNobodyAttendsThemAndAGoodReleaseGoesOnFromThere(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.deploy(0, behaviour{Version: "v1"}, mirrored())
	l := w.startLoad(w.host())
	slowly := mirrored()
	slowly.environments = strings.Replace(slowly.environments, "minStep: 1s", "minStep: 10s", 1)
	w.begin(behaviour{Version: "v2"}, slowly)
	w.reaches("in its step of copies", func(r client.Rollout) bool { return r.Phase == "stepping" && r.Weight == 0 })
	eventually(t, 20*time.Second, "copies are sent", func() bool { return w.copies() > 20 })
	w.plane.kill()
	last := w.copies()
	eventually(t, 60*time.Second, "copies end with the lease", func() bool {
		before := last
		seen := l.by(1)
		eventually(t, 20*time.Second, "traffic goes on", func() bool { return l.by(1) > seen+300 })
		last = w.copies()
		return last == before
	})
	if n := l.by(2); n != 0 {
		t.Errorf("release 2 answered %d clients", n)
	}
	w.up()
	w.reaches("past its copies, which count when they are a minute old", partial)
	w.reaches("promoted", outcome(client.Promoted))
	l.stop()
	if l.by(2) == 0 || len(l.failed) != 0 {
		t.Errorf("release 2 answered %d clients; failed requests by release: %v", l.by(2), l.failed)
	}
	w.proven()
}
