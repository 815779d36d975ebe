package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/api/client"
)

// strategy is a production environment with two instances.
func strategy(text string) appFile {
	return appFile{environments: "    - {name: production, replicas: 2, strategy: " + text + "}\n"}
}

func TestReleasesThatCannotServeNeverTakeARequestAndABrokenOneIsRolledBackInSeconds(t *testing.T) {
	t.Parallel()
	w := start(t)
	standard := strategy("{steps: [25, 50]}") // the default judging: nothing is loosened
	w.deploy(0, behaviour{Version: "v1"}, standard)
	l := w.startLoad(w.host())
	crash := w.deploy(1, behaviour{Version: "crash", Exit: true}, standard)
	bad := w.lay(behaviour{Version: "bad"}, standard)
	write(w, w.dir+"/bad/config.json", "{ this is no configuration")
	w.exits(1, "deploy", "-f", bad, "--wait")
	if crash.Rollout.Outcome != client.Failed || !strings.Contains(crash.Rollout.Reason, "took no traffic") {
		t.Errorf("%s: %s", crash.Rollout.Outcome, crash.Rollout.Reason)
	}
	for _, release := range []int{2, 3} {
		if n := l.by(release); n != 0 {
			t.Errorf("release %d took %d requests", release, n)
		}
	}
	began := time.Now()
	broken := w.deploy(3, behaviour{Version: "broken", Failures: 1}, standard)
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("the verdict on a broken release took %s", took)
	}
	if broken.Rollout.Verdict.Finding != "harmful" || broken.Rollout.Canary.Failed == 0 {
		t.Errorf("%+v", broken.Rollout)
	}
	w.reaches("at its end", func(r client.Rollout) bool { return r.Phase == "ended" })
	seen, of := l.by(1), l.by(4)
	eventually(t, 10*time.Second, "traffic on the old release", func() bool { return l.by(1) > seen+300 })
	if now := l.by(4); now > of {
		t.Errorf("the broken release took %d more requests", now-of)
	}
	l.stop()
	w.proven()
}

func TestBlueGreenAndRollingEndPromotedWithoutALostRequest(t *testing.T) {
	t.Parallel()
	w := start(t)
	proof := ", beta: 0.3, margin: {ratio: 5, absolute: 0.2}, warmup: 100ms, minStep: 1s, rollbackWindow: 2s"
	blueGreen, rolling := strategy("{type: blueGreen"+proof+"}"), strategy("{type: rolling"+proof+"}")
	w.deploy(0, behaviour{Version: "v1"}, blueGreen)
	l := w.startLoad(w.host())
	for i, file := range []appFile{blueGreen, rolling} {
		number := i + 2
		w.deploy(0, behaviour{Version: fmt.Sprint("v", number)}, file)
		w.reaches("at its end", func(r client.Rollout) bool { return r.Phase == "ended" })
		eventually(t, 20*time.Second, "two instances of the new release alone", func() bool {
			for _, in := range w.site().Instances {
				if in.Release != number {
					return false
				}
			}
			return len(w.site().Instances) == 2
		})
		seen := l.by(number)
		eventually(t, 10*time.Second, "traffic on the new release", func() bool { return l.by(number) > seen+200 })
	}
	l.stop()
	w.proven()
}

func TestWithoutTrafficARolloutIsInconclusiveAndItsPolicyDecides(t *testing.T) {
	t.Parallel()
	w := start(t)
	brief := "{steps: [10], maxStep: 1s, minStep: 500ms, warmup: 100ms"
	w.deploy(0, behaviour{Version: "v1"}, strategy(brief+"}"))
	held := w.deploy(4, behaviour{Version: "v2"}, strategy(brief+"}"))
	if held.Rollout.Held != "inconclusive" || held.Rollout.Outcome != "" {
		t.Errorf("held %q, outcome %q", held.Rollout.Held, held.Rollout.Outcome)
	}
	if why := w.must("explain", w.named); !strings.Contains(why, "inconclusive") {
		t.Errorf("explain says %q", why)
	}
	w.must("abort", w.named, "--wait")
	back := w.deploy(3, behaviour{Version: "v3"}, strategy(brief+", onInconclusive: rollback}"))
	if back.Rollout.Outcome != client.RolledBack {
		t.Errorf("outcome %q", back.Rollout.Outcome)
	}
	on := w.deploy(0, behaviour{Version: "v4"}, strategy(brief+", onInconclusive: promote}"))
	if on.Rollout.Outcome != client.Promoted || !strings.Contains(strings.Join(on.Rollout.Story, "\n"), "without evidence") {
		t.Errorf("%q: %q", on.Rollout.Outcome, on.Rollout.Story)
	}
	w.proven()
}

func TestStreamsAndLongCallsEndOnTheReleaseTheyBeganOn(t *testing.T) {
	t.Parallel()
	w := start(t)
	all := strategy("{steps: [50], holdback: 0, beta: 0.3, margin: {ratio: 5, absolute: 0.2}, warmup: 100ms, minStep: 1s, rollbackWindow: 500ms}")
	w.deploy(0, behaviour{Version: "v1"}, all)
	l := w.startLoad(w.host())
	lines := make(chan string, 1000)
	status := w.open("/stream?n=600", lines) // 12 s
	long := make(chan string, 1)
	go func() {
		c := &connection{address: w.plane.at.Gateway}
		defer c.close()
		r, _ := http.NewRequest("GET", "http://"+w.host()+"/slow?for=11s", nil)
		a, err := c.do(r)
		if err != nil {
			long <- err.Error()
			return
		}
		long <- fmt.Sprint(a.StatusCode, " by ", a.Header.Get("X-Release"))
	}()
	if status != 200 {
		t.Fatalf("the stream answers %d", status)
	}
	w.deploy(0, behaviour{Version: "v2"}, all)
	w.reaches("at its end", func(r client.Rollout) bool { return r.Phase == "ended" })
	eventually(t, 5*time.Second, "new calls on the new release alone", func() bool {
		_, header, _ := w.get(w.host(), "/")
		return header.Get("X-Release") == "2"
	})
	if len(long) > 0 {
		t.Log("the release was replaced after the long call had ended")
	}
	if got := <-long; got != "200 by 1" {
		t.Errorf("the long call ended as %s", got)
	}
	events, last := 0, ""
	for line := range lines {
		if strings.HasPrefix(line, "data: ") {
			events, last = events+1, line
			if line != "data: [DONE]" && !strings.HasSuffix(line, "from 1") {
				t.Fatalf("the stream says %q", line)
			}
		}
	}
	if events != 601 || last != "data: [DONE]" {
		t.Errorf("the stream had %d events, the last %q", events, last)
	}
	eventually(t, 20*time.Second, "the end of the old instances", func() bool {
		for _, in := range w.site().Instances {
			if in.Release == 1 {
				return false
			}
		}
		return true
	})
	l.stop()
	w.proven()
}

// open begins a stream, whose lines come until its end.
func (w *world) open(path string, lines chan<- string) int {
	w.Helper()
	conn, err := net.Dial("tcp", w.plane.at.Gateway)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { conn.Close() })
	r, err := http.NewRequest("GET", "http://"+w.host()+path, nil)
	if err != nil {
		w.Fatal(err)
	}
	if err := r.Write(conn); err != nil {
		w.Fatal(err)
	}
	a, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil {
		w.Fatal(err)
	}
	go func() {
		defer close(lines)
		for scan := bufio.NewScanner(a.Body); scan.Scan(); {
			lines <- scan.Text()
		}
	}()
	return a.StatusCode
}

func TestAnAgentsRunStaysWithTheReleaseItBeganOn(t *testing.T) {
	t.Parallel()
	w := start(t)
	all := strategy("{steps: [50], holdback: 0, beta: 0.3, margin: {ratio: 5, absolute: 0.2}, warmup: 100ms, minStep: 1s, rollbackWindow: 500ms}")
	all.lines = "  assignment: {by: run}\n  drain: 1s\n  runLimit: 12s\n"
	w.deploy(0, behaviour{Version: "v1"}, all)
	l := w.startLoad(w.host())
	of := func(run string) string {
		_, header, _ := w.get(w.host(), "/", "Fairlead-Run", run)
		return header.Get("X-Release")
	}
	if got := of("mine"); got != "1" {
		t.Fatalf("the run began on %s", got)
	}
	w.deploy(0, behaviour{Version: "v2"}, all)
	w.reaches("at its end", func(r client.Rollout) bool { return r.Phase == "ended" })
	for range 20 {
		if old, fresh := of("mine"), of(fmt.Sprint("new-", time.Now().UnixNano())); old != "1" || fresh != "2" {
			t.Fatalf("the old run is on %s, a new one on %s", old, fresh)
		}
	}
	eventually(t, 40*time.Second, "the end of the run's time", func() bool { return of("mine") == "2" })
	l.stop()
}
