package telemetry

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
)

// fleet is what a Finder is shown.
type fleet struct {
	mu  sync.Mutex
	now time.Time
	all []Instance
}

func (f *fleet) set(all ...Instance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = all
}

func (f *fleet) pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

func (f *fleet) finder() *Finder {
	return &Finder{
		Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { f.mu.Lock(); defer f.mu.Unlock(); return f.now },
		List: func(context.Context) ([]Instance, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			return append([]Instance(nil), f.all...), nil
		},
	}
}

// instance serves what page says at /metrics, and returns how often it was asked.
func instance(t *testing.T, id string, release int, page func() (int, string)) (Instance, *atomic.Int32) {
	t.Helper()
	asked := new(atomic.Int32)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.URL.Path != Path {
			t.Errorf("asked for %s", r.URL.Path)
		}
		status, text := page()
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(s.Close)
	return Instance{
		ID: id, Site: fairlead.Site{App: "chat", Env: "qa"}, Release: release, Ready: true, Address: "tcp:" + s.Listener.Addr().String(),
	}, asked
}

func says(text string) func() (int, string) { return func() (int, string) { return 200, text } }

func scrape(t *testing.T, f *Finder) string {
	t.Helper()
	var b bytes.Buffer
	if err := f.Scrape(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestMetricsAreFoundAndLabelledWithoutConfiguration(t *testing.T) {
	world := &fleet{now: time.Unix(1_700_000_000, 0)}
	one, _ := instance(t, "chat-qa-3-a", 3, says("# HELP q Waiting.\n# TYPE q gauge\nq 3\nfairlead_gateway_requests_total 9\n"))
	two, _ := instance(t, "chat-qa-4-b", 4, says("# TYPE q gauge\nq{app=\"x\"} 4\n"))
	none, _ := instance(t, "chat-qa-4-c", 4, func() (int, string) { return 404, "no" })
	page, _ := instance(t, "chat-qa-4-d", 4, says("<!doctype html>\n<p>hello"))
	starting, asked := instance(t, "chat-qa-4-e", 4, says("q 5\n"))
	starting.Ready = false
	world.set(one, two, none, page, starting)
	f := world.finder()
	f.Look(t.Context())
	want := `# TYPE fairlead_instance_metrics_up gauge
fairlead_instance_metrics_up{app="chat",environment="qa",release="3",instance="chat-qa-3-a"} 1
fairlead_instance_metrics_up{app="chat",environment="qa",release="4",instance="chat-qa-4-b"} 1
# HELP q Waiting.
# TYPE q gauge
q{app="chat",environment="qa",release="3",instance="chat-qa-3-a"} 3
q{exported_app="x",app="chat",environment="qa",release="4",instance="chat-qa-4-b"} 4
`
	if got := scrape(t, f); strings.Replace(got, "# HELP fairlead_instance_metrics_up 1 where an instance's metrics could be read.\n", "", 1) != want {
		t.Errorf("%s", got)
	}
	if asked.Load() != 0 {
		t.Error("an instance that is not ready was asked")
	}
	var b bytes.Buffer
	if err := f.One(t.Context(), two.ID, &b); err != nil || b.String() != "# TYPE q gauge\nq{app=\"x\"} 4\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
	if err := f.One(t.Context(), none.ID, &b); fairlead.CodeOf(err) != fairlead.NotFound {
		t.Errorf("%v", err)
	}
}

func TestInstancesThatComeAreFoundAndThoseThatGoAreForgotten(t *testing.T) {
	world := &fleet{now: time.Unix(1_700_000_000, 0)}
	old, _ := instance(t, "old", 1, says("q 1\n"))
	fresh, _ := instance(t, "fresh", 2, says("q 2\n"))
	world.set(old)
	f := world.finder()
	f.Look(t.Context())
	world.set(fresh)
	f.Look(t.Context())
	if all := f.Targets(); len(all) != 1 || all[0].ID != "fresh" || !all[0].Found {
		t.Errorf("%+v", all)
	}
}

func TestAnInstanceIsNotAskedAgainAtOnceAndIsAskedAgainInTheEnd(t *testing.T) {
	world := &fleet{now: time.Unix(1_700_000_000, 0)}
	serves := false
	late, asked := instance(t, "late", 1, func() (int, string) {
		if serves {
			return 200, "q 1\n"
		}
		return 404, ""
	})
	world.set(late)
	f := world.finder()
	for range 5 {
		f.Look(t.Context())
	}
	if asked.Load() != 1 {
		t.Errorf("asked %d times at one time", asked.Load())
	}
	serves = true
	world.pass(missedAgain)
	f.Look(t.Context())
	if all := f.Targets(); !all[0].Found || asked.Load() != 2 {
		t.Errorf("%+v after %d", all, asked.Load())
	}
}

func TestHowSoonAnInstanceIsAskedAgainDependsOnWhatItAnswered(t *testing.T) {
	for name, c := range map[string]struct {
		page  func() (int, string)
		again time.Duration
	}{
		"metrics":        {says("q 1\n"), foundAgain},
		"no such page":   {func() (int, string) { return 404, "" }, missedAgain},
		"an empty page":  {says("# nothing\n"), missedAgain},
		"something else": {says("<html>"), missedAgain},
		"nothing":        {func() (int, string) { panic(http.ErrAbortHandler) }, silentAgain},
	} {
		world := &fleet{now: time.Unix(1_700_000_000, 0)}
		one, asked := instance(t, "one", 1, c.page)
		world.set(one)
		f := world.finder()
		f.Look(t.Context())
		first := asked.Load()
		world.pass(c.again - time.Second)
		f.Look(t.Context())
		if asked.Load() != first {
			t.Errorf("after %s it is asked again within %s", name, c.again)
		}
		world.pass(time.Second)
		f.Look(t.Context())
		if asked.Load() == first {
			t.Errorf("after %s it is not asked again after %s", name, c.again)
		}
		if found := f.Targets()[0].Found; found != (name == "metrics") {
			t.Errorf("%s is found to be metrics: %v", name, found)
		}
	}
}

// page is what an instance answers.
type page struct {
	status int
	text   string
}

func TestOnceFoundOneStaysUnlessItAnswersSomethingElse(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		text   string
		stays  bool
	}{"it is broken off": {0, "", true}, "it answers 404": {404, "", false}, "it answers 503": {503, "", false}} {
		world := &fleet{now: time.Unix(1_700_000_000, 0)}
		var answer atomic.Value
		answer.Store(page{200, "q 1\n"})
		one, _ := instance(t, "one", 1, func() (int, string) {
			now := answer.Load().(page)
			if now.status == 0 {
				panic(http.ErrAbortHandler)
			}
			return now.status, now.text
		})
		world.set(one)
		f := world.finder()
		f.Look(t.Context())
		answer.Store(page{c.status, c.text})
		scrape(t, f)
		if got := f.Targets()[0]; got.Found != c.stays || got.Why == "" {
			t.Errorf("when %s it is %+v, want found %v", name, got, c.stays)
		}
		ended, end := context.WithCancel(t.Context())
		end()
		answer.Store(page{200, "q 1\n"})
		f.Look(t.Context())
		before := f.Targets()[0]
		if err := f.Scrape(ended, io.Discard); err != nil || f.Targets()[0] != before {
			t.Errorf("a scrape that nobody waits for changes %+v to %+v, %v", before, f.Targets()[0], err)
		}
	}
}

func TestAnInstanceThatIsNotReadyServesNobodyItsMetricsAndNoneSaysWhatIsFairleads(t *testing.T) {
	world := &fleet{now: time.Unix(1_700_000_000, 0)}
	one, asked := instance(t, "one", 1, says("# TYPE fairlead_requests counter\nfairlead_requests 9\nq 1\n"))
	world.set(one)
	f := world.finder()
	f.Look(t.Context())
	var alone bytes.Buffer
	if err := f.One(t.Context(), "one", &alone); err != nil || strings.Contains(alone.String(), "fairlead_") || !strings.Contains(alone.String(), "q 1") {
		t.Errorf("alone it serves\n%s%v", &alone, err)
	}
	if all := scrape(t, f); strings.Contains(all, "fairlead_requests") || !strings.Contains(all, "\nq{") {
		t.Errorf("among all it serves\n%s", all)
	}
	one.Ready = false
	world.set(one)
	f.Look(t.Context())
	before := asked.Load()
	err := f.One(t.Context(), "one", io.Discard)
	if all := scrape(t, f); strings.Contains(all, `instance="one"`) || fairlead.CodeOf(err) != fairlead.NotFound || asked.Load() != before {
		t.Errorf("one that is not ready is asked %d times, and serves %v\n%s", asked.Load()-before, err, all)
	}
}

func TestOneThatFailsSpoilsNoOther(t *testing.T) {
	world := &fleet{now: time.Unix(1_700_000_000, 0)}
	text := "q 1\n"
	bad, _ := instance(t, "bad", 1, func() (int, string) { return 200, text })
	good, _ := instance(t, "good", 1, says("q 2\n"))
	big, _ := instance(t, "big", 1, func() (int, string) { return 200, strings.Repeat("q 1\n", 2<<20) })
	world.set(bad, good, big)
	f := world.finder()
	f.Look(t.Context())
	text = "q one\n"
	got := scrape(t, f)
	for _, want := range []string{`up{app="chat",environment="qa",release="1",instance="bad"} 0`, `up{app="chat",environment="qa",release="1",instance="good"} 1`, `q{app="chat",environment="qa",release="1",instance="good"} 2`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	for _, target := range f.Targets() {
		if target.ID == "big" && (target.Found || !strings.Contains(target.Why, "MiB")) {
			t.Errorf("%+v", target)
		}
	}
}

func TestAScrapeIsBounded(t *testing.T) {
	var page strings.Builder
	for i := range 19_999 {
		fmt.Fprintf(&page, "q{i=\"%d\"} 1\n", i)
	}
	world := &fleet{now: time.Unix(1_700_000_000, 0)}
	var all []Instance
	for i := range 12 {
		one, _ := instance(t, fmt.Sprintf("i-%02d", i), 1, says(page.String()))
		all = append(all, one)
	}
	world.set(all...)
	f := world.finder()
	f.Look(t.Context())
	got := scrape(t, f)
	if n := strings.Count(got, "\nq{"); n > mostSamples || strings.Count(got, `"} 0`+"\n") != 2 {
		t.Errorf("%d samples, %d left out", n, strings.Count(got, `"} 0`+"\n"))
	}
}
