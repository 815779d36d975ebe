package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/api/client"
)

// storing is an app with a volume that releases hand on, and one that begins anew.
var storing = appFile{
	lines:        "  volumes:\n    - {name: data, path: /data, size: 1Mi}\n    - {name: cache, path: /var/cache/app, size: 1Gi, fresh: true}\n",
	environments: "    - {name: production, strategy: {rollbackWindow: 1s}}\n",
}

func TestAVolumeSurvivesReleasesRestartsAndTheControlPlane(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.storesFor(func(version string) { w.deploy(0, behaviour{Version: version}, storing) })
}

func keepsVolumes(w *world) {
	w.storesFor(func(version string) { w.ship(0, behaviour{Version: version}, storing) })
}

// storesFor says what is true of volumes, whatever an app runs in. release releases a
// version of an app with the volumes of storing.
func (w *world) storesFor(release func(version string)) {
	release("v1")
	for _, at := range []string{"/data/kept", "/var/cache/app/gone"} {
		if a := w.try(w.host(), "write", at); !a.OK {
			w.Fatalf("the app cannot write %s: %s", at, a.Error)
		}
	}
	if a := w.try(w.host(), "write", "/var/beside"); a.OK {
		w.Error("the app writes beside its volumes")
	}
	w.reads("after it was written", "v1")
	w.get(w.host(), "/die")
	eventually(w, 30*time.Second, "a start of the app after its end", func() bool {
		status, _, _ := w.get(w.host(), "/hello")
		return status == 200 && w.site().Instances[0].Restarts > 0
	})
	w.reads("after a restart of the app", "v1")
	w.plane.kill()
	w.up()
	w.reads("after a kill of the control plane", "v1")
	release("v2")
	w.reads("after a release", "v2")
	if a := w.try(w.host(), "list", "/var/cache/app"); !a.OK || len(a.Names) != 0 {
		w.Errorf("the fresh volume of a new release holds %v %s", a.Names, a.Error)
	}
	w.proven()
}

// reads says that the app has in its volume what was written to it.
func (w *world) reads(when, version string) {
	w.Helper()
	if _, header, _ := w.get(w.host(), "/hello"); header.Get("X-Version") != version {
		w.Errorf("%s the version is %s, not %s", when, header.Get("X-Version"), version)
	}
	if a := w.try(w.host(), "read", "/data/kept"); a.Text != "written" {
		w.Errorf("%s the volume holds %q: %s", when, a.Text, a.Error)
	}
}

func TestAVolumeIsListedAndRemovedOnceNoReleaseHasIt(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.deploy(0, behaviour{Version: "v1"}, storing)
	w.try(w.host(), "write", "/data/kept")
	measured := func() (data client.Volume) {
		for _, v := range see[[]client.Volume](w, "volume", "ls") {
			if v.Name == "data" {
				data = v
			}
		}
		return data
	}
	eventually(t, 60*time.Second, "a volume that is measured", func() bool { return measured().Used > 0 })
	if v := measured(); v.Size != 1<<20 || v.Over || !slices.Equal(v.Users, []string{w.named + "@1"}) {
		t.Errorf("it is listed as %+v", v)
	}
	w.says(w.refused(1, "volume", "rm", w.named, "data", "--env", "production"), w.named+"@1, which is live there, has it")
	w.deploy(0, behaviour{Version: "v2"}, appFile{environments: storing.environments})
	w.reaches("at its end", func(r client.Rollout) bool { return r.Phase == "ended" })
	if v := measured(); v.Used == 0 || len(v.Users) != 0 {
		t.Errorf("after a release without it, it is listed as %+v", v)
	}
	w.must("volume", "rm", w.named, "data", "--env", "production")
	if v := measured(); v.Name != "" {
		t.Errorf("after its removal it is listed as %+v", v)
	}
	w.says(w.refused(1, "volume", "rm", w.named, "data", "--env", "production"), "there is none")
	if events := w.must("events"); !strings.Contains(events, "volume data is removed") {
		t.Errorf("the ledger does not tell of it:\n%s", events)
	}
	w.proven()
}

func TestAVolumeThatHoldsMoreThanItsSizeIsToldOnce(t *testing.T) {
	t.Parallel()
	w := start(t)
	small := storing
	small.lines = strings.Replace(storing.lines, "1Mi", `"1"`, 1) // any directory takes more
	w.deploy(0, behaviour{Version: "v1"}, small)
	told := func() int { return strings.Count(w.must("events"), "more than its size of 1;") }
	eventually(t, 60*time.Second, "an entry of the volume", func() bool { return told() > 0 })
	if status := w.must("status", "--once"); !strings.Contains(status, "volume data holds") || !strings.Contains(status, "more than its size of 1 B") {
		t.Errorf("status does not tell of it:\n%s", status)
	}
	w.plane.kill()
	w.up()
	eventually(t, 60*time.Second, "a volume that is measured again", func() bool {
		return slices.ContainsFunc(see[[]client.Volume](w, "volume", "ls"), func(v client.Volume) bool { return v.Name == "data" && v.Used > 0 && v.Over })
	})
	if n := told(); n != 1 {
		t.Errorf("it is told %d times", n)
	}
}
