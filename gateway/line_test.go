package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway"
	"github.com/fairlead/fairlead/internal/disk/crashdisk"
)

// queued is the app's route while the release of a backend makes room for another one.
func queued(stable gateway.Backend) gateway.Route {
	r := route(stable)
	r.Queue = true
	return r
}

// give puts a route in force in a core that is driven by hand.
func give(t testing.TB, c *gateway.Core, seq uint64, r gateway.Route) {
	t.Helper()
	if err := c.Apply(dawn, &gateway.Snapshot{Format: 1, Order: fairlead.Order{Term: 1, Seq: seq}, Routes: []gateway.Route{r}}); err != nil {
		t.Fatal(err)
	}
}

// nobody is a release without instances.
func nobody(release int) gateway.Backend {
	return gateway.Backend{Release: release, Instances: []gateway.Instance{}}
}

// waiting returns how many requests wait at the site.
func (g *rig) waiting() int {
	for _, w := range g.status().Waiting {
		if w.Site == site {
			return w.Requests
		}
	}
	return 0
}

func (g *rig) awaitWaiting(n int) {
	g.t.Helper()
	eventually(g.t, fmt.Sprintf("%d requests wait", n), func() bool { return g.waiting() == n })
}

func TestNoRequestIsLostWhileAReleaseTakesThePlaceOfAnother(t *testing.T) {
	g := start(t, t.TempDir())
	g.apply(route(backend(1, app(t, "old", says("old")))))
	var clients sync.WaitGroup
	end, answers := make(chan struct{}), make(chan answer, 10_000)
	for range 20 {
		clients.Go(func() {
			for {
				select {
				case <-end:
					return
				default:
					answers <- g.get("/")
				}
			}
		})
	}
	eventually(t, "the old release answers", func() bool { return len(answers) > 100 })
	g.apply(queued(nobody(1)))
	g.awaitWaiting(20)
	before := len(answers)
	g.apply(route(backend(2, app(t, "new", says("new")))))
	eventually(t, "the new release answers", func() bool { return len(answers) > before+100 })
	close(end)
	clients.Wait()
	close(answers)
	told := 0
	for a := range answers {
		if a.status != http.StatusOK {
			t.Errorf("a request is lost: %d %q", a.status, a.body)
		}
		if a.header.Get("Fairlead-Queued") != "" && a.body == "new" {
			told++
		}
	}
	if told < 20 { // beyond the 20, who came while these were being let in
		t.Errorf("%d answers of the new release say that they waited; 20 did", told)
	}
}

func TestTheTurnsOfALineAreInTheOrderOfArrival(t *testing.T) {
	core := open(t, crashdisk.New(), "boot", dawn)
	give(t, core, 1, queued(nobody(1)))
	var line []*gateway.Ticket
	for n := range 50 {
		line = append(line, core.Admit(site, fmt.Sprint(n), dawn))
	}
	give(t, core, 2, route(backend(2, instanceOf("new", "127.0.0.1:1"))))
	if line[1].Again(dawn) {
		t.Error("the second enters before the first")
	}
	late := core.Admit(site, "late", dawn)
	if late.Instance() != "" {
		t.Error("who comes late overtakes those who wait")
	}
	line[20].End(dawn) // its client went away
	for n, x := range append(line, late) {
		if n == 20 {
			continue
		}
		if !x.Again(dawn) || x.Release() != 2 {
			t.Fatalf("number %d does not enter in its turn", n)
		}
		x.End(dawn)
	}
	if busy := core.Status().InFlight; len(busy) > 0 {
		t.Errorf("nothing is in flight, and %v is counted", busy)
	}
	if after := core.Admit(site, "after", dawn); after.Instance() != "new" {
		t.Error("nobody waits any more, and a request still does")
	}
}

func TestARequestWaitsAtMostItsTimeout(t *testing.T) {
	g := start(t, t.TempDir())
	r := queued(nobody(1))
	r.Timeout = fairlead.Duration(300 * time.Millisecond)
	g.apply(r)
	began := time.Now()
	a := g.get("/")
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || a.header.Get("Fairlead-Queued") == "" {
		t.Errorf("got %d %v %s", a.status, a.header, a.body)
	}
	if !strings.Contains(a.body, "takes the place") || time.Since(began) < 300*time.Millisecond {
		t.Errorf("after %s: %s", time.Since(began), a.body)
	}
	if n := g.waiting(); n != 0 {
		t.Errorf("%d still wait", n)
	}
	y := newTally(t)
	y.until(g, "who waited in vain counts as failed", func() bool { return y.stable.requests == 1 && y.stable.failed[fairlead.Reset] == 1 })
}

func TestAClientThatGoesAwayLeavesTheLine(t *testing.T) {
	g := start(t, t.TempDir())
	g.apply(queued(nobody(1)))
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if resp, err := http.DefaultClient.Do(g.request(http.MethodGet, "/", nil).WithContext(ctx)); err == nil {
			resp.Body.Close()
		}
	}()
	g.awaitWaiting(1)
	leave()
	<-gone
	g.awaitWaiting(0)
}

func TestABodyIsReadAfterTheWait(t *testing.T) {
	g := start(t, t.TempDir())
	g.apply(queued(nobody(1)))
	got := make(chan answer, 1)
	go func() {
		got <- g.do(g.request(http.MethodPost, "/", strings.NewReader(strings.Repeat("x", 300_000))))
	}()
	g.awaitWaiting(1)
	g.apply(route(backend(2, app(t, "new", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprint(w, len(body), err)
	}))))
	if a := <-got; a.body != "300000 <nil>" {
		t.Errorf("the app got %s", a.body)
	}
}

func TestRunsThatBeganGoOnWhileNewOnesWait(t *testing.T) {
	g := start(t, t.TempDir())
	old := backend(1, app(t, "old", says("old")))
	byRun := func(r gateway.Route) gateway.Route {
		r.Assignment = fairlead.Assignment{By: fairlead.ByRun}
		return r
	}
	g.apply(byRun(route(old)))
	g.get("/", "Fairlead-Run", "begun")
	g.apply(byRun(queued(old)))
	if a := g.get("/", "Fairlead-Run", "begun"); a.body != "old" {
		t.Errorf("a run that began is answered %d %q", a.status, a.body)
	}
	got := make(chan answer, 1)
	go func() { got <- g.get("/", "Fairlead-Run", "young") }()
	g.awaitWaiting(1)
	if runs := g.status().Runs; len(runs) != 1 || runs[0].Runs != 1 {
		t.Errorf("a run that waits counts as begun: %+v", runs)
	}
	g.apply(byRun(route(backend(2, app(t, "new", says("new"))))))
	if a := <-got; a.body != "new" {
		t.Errorf("a run that waited is answered %d %q", a.status, a.body)
	}
}

func TestARequestWithoutARunWaitsAndIsNotRememberedAsOne(t *testing.T) {
	g := start(t, t.TempDir())
	byRun := func(r gateway.Route) gateway.Route {
		r.Assignment = fairlead.Assignment{By: fairlead.ByRun}
		return r
	}
	old := backend(1, app(t, "old", says("old")))
	g.apply(byRun(route(old)))
	g.get("/")
	g.apply(byRun(queued(old)))
	got := make(chan answer, 1)
	go func() { got <- g.get("/") }()
	g.awaitWaiting(1)
	g.apply(byRun(route(backend(2, app(t, "new", says("new"))))))
	if a := <-got; a.body != "new" || a.header.Get("Fairlead-Queued") == "" {
		t.Errorf("it is answered %d %q %v", a.status, a.body, a.header)
	}
	if runs := g.status().Runs; len(runs) > 0 {
		t.Errorf("runs that nobody can go on with are remembered: %+v", runs)
	}
}

func TestARunWaitsWhereItsReleaseHasNoInstanceLeft(t *testing.T) {
	core := open(t, crashdisk.New(), "boot", dawn)
	byRun := func(r gateway.Route) gateway.Route {
		r.Assignment = fairlead.Assignment{By: fairlead.ByRun}
		return r
	}
	old := backend(1, instanceOf("old", "127.0.0.1:1"))
	give(t, core, 1, byRun(route(old)))
	core.Admit(site, "begun", dawn).End(dawn)
	give(t, core, 2, byRun(queued(old)))
	if x := core.Admit(site, "begun", dawn); x.Waits() || x.Instance() != "old" {
		t.Errorf("a run does not go on at %q", x.Instance())
	} else {
		x.End(dawn)
	}
	give(t, core, 3, byRun(queued(nobody(1))))
	if x := core.Admit(site, "begun", dawn); !x.Waits() {
		t.Error("a run whose instances have ended does not wait")
	}
}

func TestWhoGivesUpOrGoesAwayIsInNobodysWay(t *testing.T) {
	core := open(t, crashdisk.New(), "boot", dawn)
	give(t, core, 1, queued(nobody(1)))
	var line []*gateway.Ticket
	for n := range 4 {
		line = append(line, core.Admit(site, fmt.Sprint(n), dawn))
	}
	line[0].GiveUp(dawn.Add(time.Minute))
	line[1].End(dawn) // its client went away
	if line[0].Waits() || line[1].Waits() || line[0].Again(dawn) {
		t.Error("who gave up, or went away, waits still")
	}
	give(t, core, 2, route(backend(2, instanceOf("new", "127.0.0.1:1"))))
	line[0].End(dawn)
	line[1].End(dawn)
	for _, x := range line[2:] {
		if !x.Again(dawn) || x.Waits() {
			t.Fatal("those behind them do not enter")
		}
	}
	if late := core.Admit(site, "late", dawn); late.Waits() { // though none of those that entered has ended
		t.Error("who has entered is in the way of who comes late")
	}
}

func TestClientsThatGoAwayAsTheWaitEndsKeepNobodyWaiting(t *testing.T) {
	g := start(t, t.TempDir())
	g.apply(queued(nobody(1)))
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	var gone, stay sync.WaitGroup
	lost := make(chan answer, 40)
	for n := range 40 {
		if n%2 == 0 {
			gone.Go(func() {
				if resp, err := http.DefaultClient.Do(g.request(http.MethodGet, "/", nil).WithContext(ctx)); err == nil {
					resp.Body.Close()
				}
			})
			continue
		}
		stay.Go(func() {
			if a := g.get("/"); a.body != "new" {
				lost <- a
			}
		})
	}
	g.awaitWaiting(40)
	gone.Go(leave)
	g.apply(route(backend(2, app(t, "new", says("new")))))
	gone.Wait()
	stay.Wait()
	if len(lost) > 0 {
		t.Errorf("%d that stayed were not served, such as %+v", len(lost), <-lost)
	}
	g.awaitWaiting(0)
}

func TestALineHasAnEndAndCostsLittle(t *testing.T) {
	core := open(t, crashdisk.New(), "boot", dawn)
	give(t, core, 1, queued(nobody(1)))
	before := heap()
	var all []*gateway.Ticket
	for n := range 4096 {
		all = append(all, core.Admit(site, fmt.Sprint(n), dawn))
	}
	each := (heap() - before) / 4096
	t.Logf("a request that waits holds %d bytes beside its connection", each)
	if each > 4096 {
		t.Errorf("a request that waits holds %d bytes", each)
	}
	if x := core.Admit(site, "one too many", dawn); x.Waits() {
		t.Error("the line has no end")
	}
	all[0].End(dawn)
	if x := core.Admit(site, "in its place", dawn); !x.Waits() {
		t.Error("a place that is free again is not given")
	}
	if text := string(core.Metrics()); !strings.Contains(text, `fairlead_gateway_queued{app="triage",env="production"} 4096`) ||
		!strings.Contains(text, "fairlead_gateway_queued_refused_total 1\n") {
		t.Error("the metrics do not say so: " + text)
	}
	runtime.KeepAlive(all)
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestTheLinesOfAllSitesHaveAnEndTogether(t *testing.T) {
	core := open(t, crashdisk.New(), "boot", dawn)
	var sites []fairlead.Site
	var routes []gateway.Route
	for _, app := range []string{"chat", "search", "triage"} {
		r := queued(nobody(1))
		r.Site.App, r.Host = app, app+".localhost"
		sites, routes = append(sites, r.Site), append(routes, r)
	}
	if err := core.Apply(dawn, &gateway.Snapshot{Format: 1, Order: fairlead.Order{Term: 1, Seq: 1}, Routes: routes}); err != nil {
		t.Fatal(err)
	}
	var all []*gateway.Ticket
	for _, s := range sites[:2] {
		for n := range 4096 {
			all = append(all, core.Admit(s, fmt.Sprint(n), dawn))
		}
	}
	if core.Admit(sites[2], "one too many", dawn).Waits() {
		t.Error("8192 requests wait, and another one may")
	}
	all[0].End(dawn)
	if next := core.Admit(sites[2], "in the place of one", dawn); !next.Waits() {
		t.Error("who was turned away takes a place")
	} else {
		all = append(all, next)
	}
	for _, x := range all {
		x.End(dawn)
	}
	if !core.Admit(sites[2], "when they have gone", dawn).Waits() {
		t.Error("nobody waits, and there is no room")
	}
}
