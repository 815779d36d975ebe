package guard

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/dialpass"
	"github.com/fairlead/fairlead/internal/unixsock"
	"github.com/fairlead/fairlead/rollout"
)

var place = rollout.GuardPlace{Site: fairlead.Site{App: "triage", Env: "production"}, Release: 7}

// prometheus answers instant queries as Prometheus does, and nothing else.
func prometheus(t *testing.T, status int, answer string) (base string, asked *url.Values) {
	t.Helper()
	asked = &url.Values{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/prom/api/v1/query" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		*asked = r.URL.Query()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(s.Close)
	return s.URL + "/prom", asked
}

func TestAQueryIsFilledInAndItsOneNumberCounts(t *testing.T) {
	const vector = `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"x"},"value":[1700000000.123,"0.25"]}]}}`
	const scalar = `{"status":"success","data":{"resultType":"scalar","result":[1700000000,"3"]},"warnings":["x"]}`
	for answer, want := range map[string]float64{vector: 0.25, scalar: 3} {
		base, asked := prometheus(t, 200, answer)
		g := fairlead.Guard{Prometheus: base, Query: `sum(rate(errors{app="{{app}}", env="{{environment}}", version="{{release}}"}[1m]))`}
		if v, err := (Reader{}).Look(t.Context(), g, place); err != nil || v != want {
			t.Errorf("%v, %v, want %v", v, err, want)
		}
		if got := asked.Get("query"); got != `sum(rate(errors{app="triage", env="production", version="7"}[1m]))` {
			t.Errorf("asked %q", got)
		}
	}
}

func TestWhatIsFilledInCannotLeaveItsString(t *testing.T) {
	at := rollout.GuardPlace{Site: fairlead.Site{App: "a\"} or up{x=\"\\", Env: "{{release}}"}, Release: 7}
	got, err := fill(`up{app="{{app}}"}`, at)
	if want := `up{app="a\"} or up{x=\"\\"}`; got != want || err != nil {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
	if _, err := fill(`up{pod="{{pod}}"}`, at); err == nil || !strings.Contains(err.Error(), "{{pod}}") {
		t.Errorf("an unknown name: %v", err)
	}
}

func TestWhatIsNotOneFiniteNumberIsBlindWithItsReason(t *testing.T) {
	vector := func(values ...string) string {
		var all []string
		for _, v := range values {
			all = append(all, fmt.Sprintf(`{"metric":{},"value":[1,"%s"]}`, v))
		}
		return `{"status":"success","data":{"resultType":"vector","result":[` + strings.Join(all, ",") + `]}}`
	}
	for _, c := range []struct {
		status int
		answer string
		want   string
	}{
		{200, vector(), "the query has no result"},
		{200, vector("1", "2"), "the query has 2 results: aggregate them"},
		{200, vector("NaN"), "the value is NaN"},
		{200, vector("+Inf"), "the value is infinite"},
		{200, vector("many"), "many is not a number"},
		{200, `{"status":"success","data":{"resultType":"matrix","result":[]}}`, "the query gives a matrix, not one number"},
		{400, `{"status":"error","errorType":"bad_data","error":"1:3: parse error\nhere"}`, "the server says: 1:3: parse error here"},
		{503, `busy`, "the server answers with status 503"},
		{302, ``, "the server answers with status 302"},
		{200, `<html>`, "the server's answer is not that of a query"},
		{200, `{"status":"success","data":{"resultType":"vector","result":[{"value":["x"]}]}}`, "the server's answer is not that of a query"},
		{200, `{"status":"success","data":{"resultType":"vector","result":[` + strings.Repeat(" ", answerMost) + `]}}`, "the answer has more than 8 MiB"},
	} {
		base, _ := prometheus(t, c.status, c.answer)
		v, err := (Reader{}).Look(t.Context(), fairlead.Guard{Prometheus: base, Query: "up"}, place)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d %.60s: %v, %v, want %q", c.status, c.answer, v, err, c.want)
		}
	}
}

func TestAServerThatDoesNotAnswerIsNamedWithoutItsPassword(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	l.Close()
	_, err = (Reader{}).Look(t.Context(), fairlead.Guard{Prometheus: "http://user:hunter2@" + at, Query: "up"}, place)
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("%v", err)
	}
}

const page = `# HELP queue_depth How many wait.
# TYPE queue_depth gauge
queue_depth{kind="gpu",zone="a"} 3 1700000000000
queue_depth{kind="cpu"} 4.5e1
queue_depth_total 9
odd{path="C:\\x",said="\"}\n"} 1 # {trace="x"} 2
`

// instance serves a page of metrics and returns its address.
func instance(t *testing.T, page string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = io.WriteString(w, page)
	}))
	t.Cleanup(s.Close)
	return "tcp:" + s.Listener.Addr().String()
}

func TestAMetricIsFoundByItsNameAndLabels(t *testing.T) {
	at := place
	at.Instances = []string{instance(t, page)}
	for metric, want := range map[string]string{
		`queue_depth{kind="gpu"}`: "3", ` queue_depth { zone = "a" , } `: "3", `queue_depth{kind="cpu"}`: "45", "queue_depth_total": "9",
		`odd{path="C:\\x"}`: "1", `odd{said="\"}\n"}`: "1",
		"queue_depth": "queue_depth has 2 results: name the labels of one", "queue": "queue has no result", `queue_depth{kind="tpu"}`: "no result",
		`queue_depth{kind=~"g.*"}`: "the metric is not one", "1x": "the metric is not one", "": "address", "a b": "the metric is not one",
	} {
		v, err := (Reader{}).Look(t.Context(), fairlead.Guard{Metric: metric}, at)
		if got := fmt.Sprint(v, err); err == nil && fmt.Sprint(v) != want || err != nil && !strings.Contains(err.Error(), want) && metric != "" {
			t.Errorf("%s: %s, want %s", metric, got, want)
		}
	}
}

func TestTheWorstInstanceCounts(t *testing.T) {
	three, nine, none := instance(t, "q 3\n"), instance(t, "q 9\n"), instance(t, "")
	five, four := 5.0, 4.0
	for _, c := range []struct {
		min, max  *float64
		instances []string
		want      float64
		blind     bool
	}{
		{nil, &five, []string{three, nine}, 9, false},
		{&five, nil, []string{three, nine}, 3, false},
		{nil, &five, []string{three, none, nine}, 9, false}, // bad is bad, whatever the other says
		{nil, &five, []string{three, none}, 0, true},
		{&four, &five, []string{three, three}, 3, false},
		{nil, &five, nil, 0, true},
	} {
		at := place
		at.Instances = c.instances
		v, err := (Reader{}).Look(t.Context(), fairlead.Guard{Metric: "q", Min: c.min, Max: c.max}, at)
		if v != c.want || (err != nil) != c.blind {
			t.Errorf("%+v: %v, %v", c, v, err)
		}
	}
}

func TestAnInstanceInItsOwnNetworkIsReachedAsTheGatewayReachesIt(t *testing.T) {
	inside := strings.TrimPrefix(instance(t, "q 3\n"), "tcp:")
	socket := filepath.Join(t.TempDir(), "pass.sock")
	l, err := unixsock.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- dialpass.Serve(ctx, l, func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "tcp", inside) })
	}()
	defer func() {
		cancel()
		<-ended
	}()
	at := place
	at.Instances = []string{"pass:" + socket}
	if v, err := (Reader{}).Look(t.Context(), fairlead.Guard{Metric: "q"}, at); err != nil || v != 3 {
		t.Errorf("%v, %v", v, err)
	}
}

func FuzzExposition(f *testing.F) {
	f.Add(`queue_depth{kind="gpu"}`, page)
	f.Add("a", "a{b=\"\\")
	f.Add("a{", "a NaN\n")
	f.Fuzz(func(t *testing.T, metric, page string) {
		want, err := parseSelector(metric)
		if err != nil {
			return
		}
		if v, err := want.find([]byte(page)); err == nil && v-v != 0 {
			t.Errorf("%q of %q: %v is not finite", metric, page, v)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	f.Add(200, []byte(`{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"2"]}]}}`))
	f.Add(400, []byte(`{"status":"error","error":"\u0000"}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if v, err := answered(status, body); err == nil && v-v != 0 {
			t.Errorf("%v is not finite", v)
		} else if err != nil && strings.ContainsAny(err.Error(), "\n\x00\x1b") {
			t.Errorf("%q", err)
		}
	})
}

func TestWhatAnInstanceSaysIsQuotedInAFewPrintableWords(t *testing.T) {
	for _, answer := range []string{
		strings.Repeat("\x1b[2J\u202e", 1<<18) + "\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: " + strings.Repeat("a", 9<<20) + "\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: " + strings.Repeat("9", 1<<15) + "\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\r\nq{a=\"\u009b2J\u202e" + strings.Repeat("a", 1<<20) + "\n",
	} {
		at := place
		at.Instances = []string{says(t, answer)}
		_, err := (Reader{}).Look(t.Context(), fairlead.Guard{Metric: "q"}, at)
		if err == nil || len(err.Error()) > 400 || strings.ContainsFunc(err.Error(), func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%.400q (%d bytes)", fmt.Sprint(err), len(fmt.Sprint(err)))
		}
	}
}

// says answers each connection with bytes, whatever is asked, and returns the address.
func says(t *testing.T, answer string) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			served.Go(func() {
				defer c.Close()
				_, _ = io.WriteString(c, answer)
				_, _ = c.Read(make([]byte, 1<<10)) // what was asked, so that the close is no reset
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		served.Wait()
	})
	return "tcp:" + l.Addr().String()
}
