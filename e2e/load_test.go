package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

const sessions = 5000

// load sends requests on a fixed schedule over kept connections, each with an id
// that it checks off. It never sends one twice: whatever is not answered by the
// app is lost.
type load struct {
	*pace
	t    testing.TB
	host string

	mu       sync.Mutex
	sent     int
	answered map[string]int // by release
	failed   map[string]int // of these with 5xx
	lost     []string
}

// startLoad starts traffic to an app behind the gateway. stop ends it.
func (w *world) startLoad(host string) *load {
	l := &load{t: w, host: host, answered: map[string]int{}, failed: map[string]int{}}
	l.pace = startPace(w.plane.at.Gateway, l.begin, l.send, func(seq int) { l.lose("%d could not be sent: too many wait", seq) })
	w.Cleanup(l.end)
	return l
}

func (l *load) begin(int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
	return true
}

func (l *load) send(c *connection, seq int) {
	id := "e2e-" + strconv.Itoa(seq)
	a, err := c.do(request(l.host, id, seq))
	switch {
	case err != nil:
		l.lose("%s: %v", id, err)
	case a.Header.Get("X-Request-Id") != id || a.Header.Get("X-Release") == "":
		l.lose("%s: %s from nobody", id, a.Status)
	default:
		l.take(a)
	}
}

// request alternates POST and GET, from one of many sessions.
func request(host, id string, seq int) *http.Request {
	var body io.Reader
	method := "GET"
	if seq%2 == 0 {
		method, body = "POST", bytes.NewReader([]byte(`{"ask":"something"}`))
	}
	r, err := http.NewRequest(method, "http://"+host+"/v1/ask", body)
	if err != nil {
		panic(err) // plain text
	}
	r.Header.Set("X-Request-Id", id)
	r.Header.Set("Fairlead-Run", id)
	r.AddCookie(&http.Cookie{Name: "fairlead_session", Value: "s" + strconv.Itoa(rand.IntN(sessions))})
	return r
}

func (l *load) take(a *http.Response) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answered[a.Header.Get("X-Release")]++
	if a.StatusCode >= 500 {
		l.failed[a.Header.Get("X-Release")]++
	}
}

func (l *load) lose(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = append(l.lost, fmt.Sprintf(format, args...))
}

// by returns how many requests a release has answered so far.
func (l *load) by(release int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answered[strconv.Itoa(release)]
}

// stop ends the traffic and says that nothing was lost.
func (l *load) stop() {
	l.t.Helper()
	l.end()
	answered := 0
	for _, n := range l.answered {
		answered += n
	}
	if len(l.lost) > 0 || answered != l.sent {
		l.t.Errorf("of %d requests %d were answered and %d lost: %.10q", l.sent, answered, len(l.lost), l.lost[:min(5, len(l.lost))])
	}
	if l.sent == 0 {
		l.t.Error("there was no traffic")
	}
}

// connection is a kept connection that, unlike http.Transport, never sends a
// request again. It belongs to one goroutine.
type connection struct {
	address string
	conn    net.Conn
	reader  *bufio.Reader
}

// do sends a request and reads its whole answer.
func (c *connection) do(r *http.Request) (*http.Response, error) {
	if c.conn != nil && c.closed() {
		c.close()
	}
	if c.conn == nil {
		conn, err := net.DialTimeout("tcp", c.address, 5*time.Second)
		if err != nil {
			return nil, err
		}
		c.conn, c.reader = conn, bufio.NewReader(conn)
	}
	a, err := c.exchange(r)
	if err != nil || a.Close {
		c.close()
	}
	return a, err
}

// closed reports whether the other side has closed a kept connection, which every
// client looks for before it sends: then nothing is in flight.
func (c *connection) closed() bool {
	raw, err := c.conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return true
	}
	open := false
	err = raw.Control(func(fd uintptr) {
		_, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		open = errors.Is(err, syscall.EAGAIN)
	})
	return err != nil || !open
}

func (c *connection) exchange(r *http.Request) (*http.Response, error) {
	if err := c.conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return nil, err
	}
	if err := r.Write(c.conn); err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	a, err := http.ReadResponse(c.reader, r)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	a.Body = io.NopCloser(bytes.NewReader(body))
	return a, err
}

func (c *connection) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// get asks the app behind the gateway once.
func (w *world) get(host, path string, headers ...string) (status int, header http.Header, body string) {
	w.Helper()
	r, err := http.NewRequest("GET", "http://"+host+path, nil)
	if err != nil {
		w.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	c := &connection{address: w.plane.at.Gateway}
	defer c.close()
	a, err := c.do(r)
	if err != nil {
		w.Fatalf("GET %s%s: %v", host, path, err)
	}
	text, _ := io.ReadAll(a.Body)
	return a.StatusCode, a.Header, string(text)
}

// host is the app's host name in production.
func (w *world) host() string { return w.named + ".localhost" }
