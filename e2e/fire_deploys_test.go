package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/fairlead/fairlead/api/client"
)

// deploysVariable says how many deploys and rollbacks the figure is made of.
const deploysVariable = "FAIRLEAD_DEPLOYS"

// TestNoRequestIsLostInManyDeploysAndRollbacks measures how many requests Fairlead
// loses in consecutive deploys, promoted and rolled back, and rollbacks by hand
// under traffic, with a kill -9 of the control plane in each tenth.
func TestNoRequestIsLostInManyDeploysAndRollbacks(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv(deploysVariable))
	if err != nil || n < 1 {
		t.Skipf("it takes some 4 s a deploy: set %s to how many", deploysVariable)
	}
	w := start(t)
	f := w.newFire()
	file := f.file(lenient("50", "500ms", "1s"))
	f.manyDeploys(n, func(behaviour) appFile { return file })
}

// manyDeploys deploys n releases, one after the other under traffic, each by the file that is made
// for it, and says that no request was lost.
func (f *fire) manyDeploys(n int, file func(behaviour) appFile) {
	w := f.w
	w.Helper()
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	first := f.version(behaviour{Version: "v0"})
	w.deploy(0, first, file(first))
	f.start().flows(200)
	began, ended, kills := time.Now(), map[client.Outcome]int{}, 0
	for i := 1; i <= n; i++ {
		before := w.rollout().ID
		if i%10 == 5 {
			w.must("rollback", w.named, "--wait") // turns the newest back, or begins one
			ended["returned by hand"]++
			continue
		}
		b := f.version(behaviour{Version: fmt.Sprint("v", i)})
		if i%10 == 3 || i%10 == 8 {
			b.Failures = 0.7
		}
		w.begin(b, file(b))
		if i%10 == 0 {
			time.Sleep(time.Duration(random.IntN(2500)) * time.Millisecond) // anywhere
			w.plane.kill()
			w.up()
			kills++
		}
		r := w.reaches("decided", func(r client.Rollout) bool {
			return r.ID != before && r.Outcome != "" && r.Phase != "returning" // until when another one is a conflict
		})
		ended[r.Outcome]++
		if want := i%10 == 3 || i%10 == 8; (r.Outcome == client.RolledBack) != want {
			w.Errorf("deploy %d ended %s: %s", i, r.Outcome, r.Reason)
		}
	}
	took := time.Since(began)
	f.end()
	w.Logf("seed %d: %d deploys and rollbacks in %s under %d requests/s, %d kills of the control plane", seed, n, took.Round(time.Second), rate, kills)
	w.Logf("%d promoted, %d rolled back, %d by hand; requests: %d sent, %d lost", ended[client.Promoted], ended[client.RolledBack], ended["returned by hand"], f.sent, len(f.lost))
	f.nothingLost()
	w.proven()
}
