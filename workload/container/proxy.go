package container

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// proxy is the way of a build's commands to the outside: an HTTP proxy, for http and by
// CONNECT for all else, that leads to nothing of this machine. It keeps what was asked
// for.
type proxy struct {
	dialer  net.Dialer
	forward *httputil.ReverseProxy
	over    context.Context // ended when nothing is carried any more
	end     context.CancelFunc
	carried sync.WaitGroup

	mu      sync.Mutex
	ended   bool
	reached []string // host:port, in the order of the first time
	kept    []string // what it was kept from, with why
	missed  []string // what did not answer, with why
}

const (
	mostTold     = 200 // targets that a proxy keeps of either kind
	proxyPatient = 30 * time.Second
)

// newProxy returns a proxy that asks allowed about every address before it connects.
func newProxy(allowed func(network, address string, c syscall.RawConn) error) *proxy {
	over, end := context.WithCancel(context.Background())
	p := &proxy{dialer: net.Dialer{Timeout: proxyPatient, Control: allowed}, over: over, end: end}
	p.forward = &httputil.ReverseProxy{
		Rewrite:      func(*httputil.ProxyRequest) {}, // it goes on as it came
		Transport:    &http.Transport{DialContext: p.dial, DisableCompression: true, ResponseHeaderTimeout: 5 * time.Minute, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) { refuse(w, err) },
		ErrorLog:     log.New(io.Discard, "", 0), // the build is told
	}
	return p
}

// serve carries what comes over listener until the proxy is closed, and all that is
// carried has ended.
func (p *proxy) serve(listener net.Listener) error {
	server := &http.Server{Handler: p, ReadHeaderTimeout: proxyPatient, MaxHeaderBytes: 256 << 10, ErrorLog: log.New(io.Discard, "", 0)}
	stop := context.AfterFunc(p.over, func() { server.Close() })
	defer stop()
	err := server.Serve(listener)
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	p.carried.Wait()
	return err
}

// begin reports whether one more request is carried; who began it says when it is done.
func (p *proxy) begin() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ended {
		p.carried.Add(1)
	}
	return !p.ended
}

// close ends all that is carried.
func (p *proxy) close() {
	p.end()
	p.forward.Transport.(*http.Transport).CloseIdleConnections()
}

// ServeHTTP implements http.Handler.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !p.begin() {
		return
	}
	defer p.carried.Done()
	switch {
	case r.Method == http.MethodConnect:
		p.tunnel(w, r)
	case r.URL.Scheme == "http" && r.URL.Host != "":
		p.forward.ServeHTTP(w, r)
	default:
		http.Error(w, "this is a proxy, for http and by CONNECT", http.StatusBadRequest)
	}
}

// dial connects to a target and keeps it.
func (p *proxy) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := p.dialer.DialContext(ctx, network, address)
	var inside *insideError
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil:
		p.reached = addTold(p.reached, address)
	case errors.As(err, &inside):
		p.kept = addTold(p.kept, fmt.Sprintf("%s (%s)", address, inside.is))
	case ctx.Err() == nil:
		p.missed = addTold(p.missed, fmt.Sprintf("%s (%s)", address, missedFor(err)))
	}
	return conn, err
}

// missedFor is why a target did not answer, without addresses that may be others at
// each attempt.
func missedFor(err error) string {
	var name *net.DNSError
	var number syscall.Errno
	var late net.Error
	switch {
	case errors.As(err, &name):
		return name.Err
	case errors.As(err, &number):
		return number.Error()
	case errors.As(err, &late) && late.Timeout():
		return "it did not answer in time"
	}
	return err.Error()
}

func addTold(told []string, one string) []string {
	if len(one) > 300 || len(told) == mostTold || slices.Contains(told, one) {
		return told
	}
	return append(told, one)
}

// told are the lines about a build that go with its log.
func (p *proxy) told() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var text strings.Builder
	if len(p.reached) > 0 {
		fmt.Fprintf(&text, "The build reached: %s\n", strings.Join(p.reached, ", "))
	}
	if len(p.kept) > 0 {
		fmt.Fprintf(&text, "The build was kept from: %s\n", strings.Join(p.kept, ", "))
	}
	if len(p.missed) > 0 {
		fmt.Fprintf(&text, "The build could not reach: %s\n", strings.Join(p.missed, ", "))
	}
	return text.String()
}

// refuse answers that a target was not reached.
func refuse(w http.ResponseWriter, err error) {
	code, text := http.StatusBadGateway, "it was not reached: "+err.Error()
	var inside *insideError
	if errors.As(err, &inside) {
		code, text = http.StatusForbidden, "a build reaches only what is outside of this machine: "+inside.Error()
	}
	http.Error(w, text, code)
}

// tunnel carries bytes to and from the target of a CONNECT.
func (p *proxy) tunnel(w http.ResponseWriter, r *http.Request) {
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil || host == "" || port == "" {
		http.Error(w, "CONNECT takes host:port", http.StatusBadRequest)
		return
	}
	target, err := p.dial(r.Context(), "tcp", r.Host)
	if err != nil {
		refuse(w, err)
		return
	}
	defer target.Close()
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return // the connection has ended
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	stop := context.AfterFunc(p.over, func() { conn.Close(); target.Close() })
	defer stop()
	carryBoth(conn, buffered.Reader, target)
}

// carryBoth carries bytes both ways until both ends have ended theirs, or one is lost.
func carryBoth(conn net.Conn, from *bufio.Reader, target net.Conn) {
	var back sync.WaitGroup
	back.Go(func() {
		io.Copy(conn, target) // a connection that breaks is its ends' to tell
		closeWrite(conn)
	})
	_, err := io.Copy(target, from)
	closeWrite(target)
	if err != nil {
		target.Close()
	}
	back.Wait()
}

func closeWrite(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
}

// proxyArguments are the arguments of a build by which its commands find a proxy. Engines
// give these to commands, and keep them out of images and of what a step is known by.
func proxyArguments(at netip.AddrPort) map[string]string {
	where := (&url.URL{Scheme: "http", Host: at.String()}).String()
	arguments := map[string]string{}
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		arguments[name] = where
	}
	return arguments
}
