package e2e

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// fire is traffic that keeps books: each request has an id of its own, is sent once
// on a kept connection, and has to be answered rightly and wholly; each POST has to
// be executed exactly once. One in 200 is a stream. The instances record what they
// execute at a listener of the test.
type fire struct {
	w        *world
	recorder net.Listener
	pace     *pace
	streams  sync.WaitGroup

	mu       sync.Mutex
	sent     int
	answered map[string]int // by release
	failed   map[string]int // of these with 500, which the releases say themselves
	posts    []string       // ids that were answered
	lost     []loss
	executed map[string][]string // instances, by id of a POST
	slowest  time.Duration       // answer that is no stream
}

// loss is a request that was not answered as it has to be.
type loss struct {
	id           string
	began, ended time.Time
	why          string
}

func (l loss) String() string {
	return fmt.Sprintf("%s from %s to %s: %s", l.id, l.began.Format("05.000"), l.ended.Format("05.000"), l.why)
}

// newFire opens the recorder; no traffic comes before start.
func (w *world) newFire() *fire {
	w.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.Fatal(err)
	}
	f := &fire{
		w: w, recorder: l, answered: map[string]int{}, failed: map[string]int{}, executed: map[string][]string{},
	}
	w.Cleanup(func() { l.Close() })
	go f.listen() // ends with the listener
	return f
}

// version is a release whose instances record what they execute.
func (f *fire) version(b behaviour) behaviour {
	b.Record = f.recorder.Addr().String()
	return b
}

// file is an App file of such a release.
func (f *fire) file(a appFile) appFile {
	a.lines += "  network: {reach: [\"" + f.recorder.Addr().String() + "\"]}\n"
	return a
}

// lenient is a canary that is promoted soon: its margins are wide.
func lenient(steps, minStep, window string) appFile {
	return strategy(fmt.Sprintf("{steps: [%s], beta: 0.3, margin: {ratio: 5, absolute: 0.2}, warmup: 100ms, minStep: %s, rollbackWindow: %s}",
		steps, minStep, window))
}

// serves deploys the first release and sends it traffic.
func (f *fire) serves(file appFile) {
	f.w.Helper()
	f.w.deploy(0, f.version(behaviour{Version: "v1"}), file)
	f.start().flows(200, 1)
}

// splits brings traffic to a second release beside the first.
func (f *fire) splits(file appFile) {
	f.w.Helper()
	f.serves(file)
	f.w.begin(f.version(behaviour{Version: "v2"}), file)
	f.w.reaches("partial", partial)
	f.flows(100, 2)
}

func (f *fire) listen() {
	for {
		conn, err := f.recorder.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			for scan := bufio.NewScanner(conn); scan.Scan(); {
				f.note(strings.Fields(scan.Text()))
				if _, err := conn.Write([]byte{'.'}); err != nil {
					return // the instance is gone
				}
			}
		}()
	}
}

func (f *fire) note(words []string) {
	if len(words) != 3 || words[0] != "POST" {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.executed[words[1]] = append(f.executed[words[1]], words[2])
}

// start starts the traffic.
func (f *fire) start() *fire {
	f.pace = startPace(f.w.plane.at.Gateway, f.begin, f.send, func(seq int) {
		f.lose("fire-"+strconv.Itoa(seq), time.Now(), "too many wait")
	})
	f.w.Cleanup(f.end)
	return f
}

// begin counts a request, and reads a stream by itself.
func (f *fire) begin(seq int) bool {
	f.mu.Lock()
	f.sent++
	f.mu.Unlock()
	if seq%rate == 0 {
		f.streams.Go(func() { f.stream(seq) })
		return false
	}
	return true
}

func (f *fire) send(c *connection, seq int) {
	id, began := "fire-"+strconv.Itoa(seq), time.Now()
	r, wanted := f.request(id, seq)
	a, err := c.do(r)
	if err != nil {
		f.lose(id, began, err.Error())
		return
	}
	body, _ := io.ReadAll(a.Body)
	f.take(id, r.Method, wanted, began, a, string(body))
}

// request alternates POST and GET of one of many sessions. wanted is in the body of
// its right answer.
func (f *fire) request(id string, seq int) (r *http.Request, wanted string) {
	var body []byte
	method := "GET"
	if seq%2 == 0 {
		method, body = "POST", bytes.Repeat([]byte(id+" "), 1+rand.IntN(2000))
	}
	r, err := http.NewRequest(method, "http://"+f.w.host()+"/v1/ask", bytes.NewReader(body))
	if err != nil {
		panic(err) // plain text
	}
	r.Header.Set("X-Request-Id", id)
	r.AddCookie(&http.Cookie{Name: "fairlead_session", Value: "s" + strconv.Itoa(rand.IntN(sessions))})
	return r, fmt.Sprintf("%s %d bytes, version ", method, len(body)) + "*" + fmt.Sprintf("digest %x\n", sha256.Sum256(body))
}

// take judges an answer.
func (f *fire) take(id, method, wanted string, began time.Time, a *http.Response, body string) {
	release := a.Header.Get("X-Release")
	before, after, _ := strings.Cut(wanted, "*")
	if a.Header.Get("X-Request-Id") != id || release == "" || !strings.HasPrefix(body, before) || !strings.HasSuffix(body, after) {
		f.lose(id, began, fmt.Sprintf("%s, release %q: %.80q", a.Status, release, body))
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answered[release]++
	f.slowest = max(f.slowest, time.Since(began))
	if a.StatusCode >= 500 {
		f.failed[release]++
	}
	if method == "POST" {
		f.posts = append(f.posts, id)
	}
}

// stream reads an event stream of some seconds to its end.
func (f *fire) stream(seq int) {
	n, id, began := 50+rand.IntN(150), "fire-"+strconv.Itoa(seq), time.Now()
	lose := func(format string, args ...any) { f.lose(id, began, fmt.Sprintf("stream: "+format, args...)) }
	r, err := http.NewRequest("GET", fmt.Sprintf("http://%s/stream?n=%d", f.w.host(), n), nil)
	if err != nil {
		panic(err) // plain text
	}
	r.Header.Set("X-Request-Id", id)
	c := &connection{address: f.w.plane.at.Gateway}
	defer c.close()
	a, err := c.do(r)
	if err != nil {
		lose("%v", err)
		return
	}
	body, _ := io.ReadAll(a.Body)
	release, events := a.Header.Get("X-Release"), 0
	for line := range strings.Lines(string(body)) {
		if strings.TrimSpace(line) == fmt.Sprintf("data: %d from %s", events, release) {
			events++
		}
	}
	if a.Header.Get("X-Request-Id") != id || events != n || !strings.HasSuffix(string(body), "data: [DONE]\n\n") {
		lose("%s, %d of %d events, ends %q", a.Status, events, n, body[max(0, len(body)-40):])
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answered[release]++
}

func (f *fire) lose(id string, began time.Time, why string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lost = append(f.lost, loss{id, began, time.Now(), why})
}

// by returns how many requests a release has answered so far, or all without one.
func (f *fire) by(releases ...int) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for release, answered := range f.answered {
		if number, _ := strconv.Atoi(release); len(releases) == 0 || slices.Contains(releases, number) {
			n += answered
		}
	}
	return n
}

// flows waits until more requests were answered, by a release if one is named.
func (f *fire) flows(more int, releases ...int) {
	f.w.Helper()
	seen := f.by(releases...)
	eventually(f.w, 30*time.Second, fmt.Sprintf("%d more answers by %v", more, releases), func() bool { return f.by(releases...) >= seen+more })
}

func (f *fire) end() {
	f.pace.end()
	f.streams.Wait()
}

// nothingLost ends the traffic and says that every request was answered, and every
// POST executed once.
func (f *fire) nothingLost() {
	f.w.Helper()
	f.lostOnly(func(loss) bool { return false })
}

// lostOnly ends the traffic and says that nothing was lost but what is excused.
func (f *fire) lostOnly(excused func(loss) bool) {
	f.w.Helper()
	f.end()
	excuses, answered := 0, f.by()
	f.mu.Lock()
	for _, l := range f.lost {
		if excused(l) {
			excuses++
			f.w.Logf("in flight in what was killed: %s", l)
		} else {
			defer f.w.Errorf("lost %s", l) // last, where it is read
		}
	}
	lost, sent := len(f.lost), f.sent
	f.mu.Unlock()
	if answered+lost != sent || sent < rate {
		f.w.Errorf("of %d requests %d were answered and %d lost", sent, answered, lost)
	}
	f.once()
	f.w.Logf("%d requests, %d POSTs executed once, %d lost, %d of them excused, slowest answer %s", sent, len(f.posts), lost, excuses, f.slowest)
}

// once says that each POST that was answered was executed once, and no other one
// more than once.
func (f *fire) once() {
	f.w.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range f.posts {
		if len(f.executed[id]) == 0 {
			f.w.Errorf("%s was answered, and nobody executed it", id)
		}
	}
	for id, instances := range f.executed {
		if len(instances) > 1 {
			f.w.Errorf("%s was executed by %v", id, instances)
		}
	}
}
