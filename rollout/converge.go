package rollout

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// replacePause is how long after its start a broken instance of the live release
// is replaced, so that replacing never becomes a loop of its own.
const replacePause = 30 * time.Second

// Place is an instance that should be started.
type Place struct {
	Site    fairlead.Site
	Release int
}

// Converge compares what a site should have with the instances it has. It returns
// how many to start of each release, in order, and which instances to let go; an
// instance that is leaving already, or must leave, counts as gone. It is pure.
func Converge(now time.Time, site fairlead.Site, want Want, have []workload.Status, leaving func(id string) bool) (start []Place, release []string) {
	useful := map[int][]workload.Status{}
	for _, s := range have {
		switch {
		case leaving(s.ID) || s.State == workload.Exited || s.State == workload.Stopping:
		case s.Leave != "" && !s.State.Over():
			release = append(release, s.ID)
		case s.State.Over() && now.Sub(s.Started) >= replacePause:
		default: // one that broke keeps its place until the pause is over
			useful[s.Release] = append(useful[s.Release], s)
		}
	}
	for number, instances := range useful {
		for _, s := range surplus(instances, want[number]) {
			if !s.State.Over() {
				release = append(release, s.ID)
			}
		}
	}
	for number, count := range want {
		for range count - len(useful[number]) {
			start = append(start, Place{Site: site, Release: number})
		}
	}
	slices.SortFunc(start, func(a, b Place) int { return cmp.Compare(a.Release, b.Release) })
	slices.Sort(release)
	return start, release
}

// surplus returns the instances beyond count, those that serve least first.
func surplus(instances []workload.Status, count int) []workload.Status {
	if len(instances) <= count {
		return nil
	}
	slices.SortStableFunc(instances, func(a, b workload.Status) int {
		return cmp.Or(cmp.Compare(usefulness(b.State), usefulness(a.State)), a.Started.Compare(b.Started))
	})
	return instances[count:]
}

func usefulness(s workload.State) int {
	switch s {
	case workload.Ready:
		return 3
	case workload.Unready, workload.Starting:
		return 2
	case workload.Backoff:
		return 1
	}
	return 0
}

// instanceID returns a name for a new instance: what it is, and chance.
func instanceID(p Place, random io.Reader) string {
	return fmt.Sprintf("%.24s-%.16s-%d-%x", p.Site.App, p.Site.Env, p.Release, randomBytes(random, 4))
}

// groupOf sums up the instances of one release. One that broke in an earlier
// rollout, before since, says nothing of this one. Restarts and seconds are
// counted by the loop.
func groupOf(release int, since time.Time, have []workload.Status, leaving func(id string) bool) Group {
	var g Group
	for _, s := range have {
		if s.Release != release || leaving(s.ID) || s.State.Over() && s.Started.Before(since) {
			continue
		}
		if s.State == workload.Ready {
			g.Ready++
		}
		if s.State == workload.CrashLoop || s.State == workload.Refused {
			g.Broken = fmt.Sprintf("%s: %s", broken(s.State), s.LastExit)
		}
	}
	return g
}

func broken(s workload.State) string {
	if s == workload.Refused {
		return "its sandbox cannot be had"
	}
	return "crash loop"
}
