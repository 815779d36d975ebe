package e2e

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/workload"
)

// crowd counts the processes of a world's app again and again, whatever Fairlead says.
type crowd struct {
	w    *world
	quit chan struct{}
	done sync.WaitGroup
	most int // at once; to be read when it has ended
}

// watchCrowd counts until it is ended, every 50 ms.
func (w *world) watchCrowd() *crowd {
	c := &crowd{w: w, quit: make(chan struct{})}
	c.done.Go(func() {
		for {
			c.most = max(c.most, c.now())
			select {
			case <-c.quit:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
	w.Cleanup(c.end)
	return c
}

func (c *crowd) now() (apps int) {
	for _, p := range c.w.mine() {
		if strings.HasPrefix(p.line, "./app") {
			apps++
		}
	}
	return apps
}

// end may be called more than once.
func (c *crowd) end() {
	select {
	case <-c.quit:
	default:
		close(c.quit)
	}
	c.done.Wait()
}

func TestTheOldReleaseMakesRoomForACanaryAndNoMoreThanItsReplicasRunAtOnce(t *testing.T) {
	t.Parallel()
	w := start(t)
	file := appFile{environments: "    - {name: production, replicas: 3, strategy: {steps: [50], shrink: true, " +
		"beta: 0.3, margin: {ratio: 5, absolute: 0.2}, warmup: 100ms, minStep: 1s, rollbackWindow: 1s}}\n"}
	w.deploy(0, behaviour{Version: "v1"}, file)
	w.hasAll(1)
	crowd, l := w.watchCrowd(), w.startLoad(w.host())
	eventually(t, 10*time.Second, "traffic", func() bool { return l.by(1) > 100 })

	w.begin(behaviour{Version: "v2"}, file)
	var halfway client.Site
	eventually(t, 30*time.Second, "half of the traffic on the canary", func() bool {
		halfway = w.site()
		return halfway.Rollout != nil && partial(*halfway.Rollout)
	})
	if has := instancesOf(halfway); has[1] != 1 || has[2] != 2 {
		t.Errorf("for half of the traffic each the releases have %v instances", has)
	}
	w.reaches("promoted", outcome(client.Promoted))
	w.reaches("at its end", func(r client.Rollout) bool { return r.Phase == "ended" })
	w.hasAll(2)
	if l.by(2) == 0 {
		t.Error("the new release was promoted without traffic")
	}

	w.deploy(3, behaviour{Version: "bad", Failures: 1}, file)
	w.reaches("at its end", func(r client.Rollout) bool { return r.Phase == "ended" })
	if l.by(3) == 0 {
		t.Error("the bad release was rolled back without traffic")
	}
	w.hasAll(2)
	seen, bad := l.by(2), l.by(3)
	eventually(t, 10*time.Second, "traffic on the release before", func() bool { return l.by(2) > seen+200 })
	if more := l.by(3) - bad; more != 0 {
		t.Errorf("the release that was rolled back took %d requests more", more)
	}
	l.stop()
	crowd.end()
	if crowd.most != 3 {
		t.Errorf("%d instances ran at once, want 3", crowd.most)
	}
	w.proven()
}

// instancesOf returns how many instances each release has, also of those that start or end.
func instancesOf(s client.Site) map[int]int {
	has := map[int]int{}
	for _, i := range s.Instances {
		has[i.Release]++
	}
	return has
}

// hasAll waits until there is nothing but three ready instances of one release.
func (w *world) hasAll(release int) {
	w.Helper()
	eventually(w, 30*time.Second, "three instances of one release", func() bool {
		all := w.site().Instances
		return len(all) == 3 && !slices.ContainsFunc(all, func(i workload.Status) bool { return i.Release != release || i.State != workload.Ready })
	})
}
