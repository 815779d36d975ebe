package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/workload/container/enginetest"
)

// TestInContainers runs what is true in every engine. The tests of one engine share it, and
// somebody else has a container, a network and a volume there.
func TestInContainers(t *testing.T) {
	inEngines(t)
	for _, name := range enginetest.Names {
		t.Run(name, func(t *testing.T) {
			e := enginetest.Start(t, name)
			other := newStranger(t, e)
			t.Run("it", func(t *testing.T) {
				for say, holds := range inContainers {
					t.Run(say, func(t *testing.T) {
						t.Parallel()
						holds(startWith(t, e))
					})
				}
			})
			other.untouched(t)
		})
	}
}

var inContainers = map[string]func(w *world){
	"promotes a good image and rolls a bad one back under traffic": promotesAndRollsBack,
	"releases a Dockerfile":                               releasesADockerfile,
	"releases an archive":                                 releasesAnArchive,
	"proves an image by gates that run in it":             provesByGates,
	"gives secrets to their instance alone":               keepsSecrets,
	"keeps volumes over releases and restarts":            keepsVolumes,
	"replaces the one writer of a volume under traffic":   replacesTheWriter,
	"keeps environments apart":                            keepsEnvironmentsApart,
	"records the protections that an instance really has": hardens,
	"adopts containers after a kill of the control plane": adopts,
	"heals a container that was removed by hand":          healsARemovedContainer,
	"ends an app that ignores SIGTERM":                    endsTheDeaf,
	"says why an app that listens elsewhere is not ready": tellsOfTheWrongPort,
	"lets two apps have the same port":                    sharesPorts,
	"says what a release loosens":                         tellsOfLooseness,
	"records what an image was built from":                recordsBases,
}

func promotesAndRollsBack(w *world) {
	file := appFile{environments: twoReplicas}
	w.ship(0, behaviour{Version: "v1"}, file)
	l := w.startLoad(w.host())
	eventually(w, 10*time.Second, "traffic", func() bool { return l.by(1) > 100 })
	w.ship(0, behaviour{Version: "v2"}, file)
	if l.by(2) == 0 {
		w.Error("the new release was promoted without traffic")
	}
	w.ship(3, behaviour{Version: "bad", Failures: 1}, strategy("{steps: [50]}"))
	if r := w.rollout(); r.Verdict.Finding != "harmful" {
		w.Errorf("the bad release: %+v", r.Verdict)
	}
	w.reaches("at its end", func(r client.Rollout) bool { return r.Phase == "ended" })
	seen, bad := l.by(2), l.by(3)
	eventually(w, 10*time.Second, "traffic on the release before", func() bool { return l.by(2) > seen+300 })
	if more := l.by(3) - bad; more != 0 {
		w.Errorf("the release that was rolled back took %d requests more", more)
	}
	l.stop()
	w.must("ledger", "verify")
	w.proven()
}

// servedInABox says that a release answers through the gateway, from a container.
func (w *world) servedInABox(version string) {
	w.Helper()
	status, header, body := w.get(w.host(), "/hello", "X-Request-Id", "one")
	if status != 200 || header.Get("X-Version") != version || header.Get("X-Request-Id") != "one" {
		w.Errorf("answer %d %v %q", status, header, body)
	}
	if b := w.box(header.Get("X-Instance")); !b.State.Running {
		w.Errorf("it answered, and its container is %+v", b.State)
	}
}

func releasesADockerfile(w *world) {
	b := behaviour{Version: "v1"}
	d := w.deploy(0, b, w.imaged(b, appFile{}, byDockerfile))
	w.servedInABox("v1")
	image := d.Release.Content.Image
	if image == nil || !strings.Contains(image.Reference, "Dockerfile") || !image.ID.Valid() || !image.BuildLog.Valid() {
		w.Errorf("the release's image is %+v", image)
	}
}

func releasesAnArchive(w *world) {
	b := behaviour{Version: "v1"}
	d := w.deploy(0, b, w.imaged(b, appFile{}, byArchive))
	w.servedInABox("v1")
	if image := d.Release.Content.Image; image == nil || !image.ID.Valid() {
		w.Errorf("the release's image is %+v", image)
	}
}
