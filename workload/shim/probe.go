package shim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"github.com/fairlead/fairlead"
)

// probed is one answer of a check.
type probed struct {
	run    int  // which run of the app was asked
	health bool // or readiness
	ok     bool
	why    string // it is not ok, as people read it
}

// settled returns check with defaults for what it leaves out.
func settled(check fairlead.Check) fairlead.Check {
	if check.Interval <= 0 {
		check.Interval = fairlead.Duration(time.Second)
	}
	if check.Timeout <= 0 {
		check.Timeout = fairlead.Duration(time.Second)
	}
	if check.Failures <= 0 {
		check.Failures = 3
	}
	if check.Deadline <= 0 {
		check.Deadline = fairlead.Duration(time.Minute)
	}
	return check
}

// passes reports whether a status answers check: below 400 where the file names a
// path, below 500 for the default one, which says only that something serves.
func passes(check fairlead.Check, status int) bool {
	if check.Path == "" || check.Path == "/" {
		return status >= 200 && status < 500
	}
	return status >= 200 && status < 400
}

// prober asks an instance over dial, as a gateway would.
type prober struct {
	port   int
	dial   func(ctx context.Context) (net.Conn, error)
	result chan<- probed
}

// watch asks check until ctx ends: often until it first passes, which makes starts
// fast, and at its interval from then on.
func (p prober) watch(ctx context.Context, run int, check fairlead.Check, health bool) {
	check = settled(check)
	client := &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return p.dial(ctx) },
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       check.Timeout.D(),
	}
	wait := quickProbe / 2
	for steady := false; ; {
		why := p.once(ctx, client, check)
		ok := why == ""
		steady = steady || ok || health
		wait = nextProbe(wait, check.Interval.D(), steady)
		select {
		case p.result <- probed{run, health, ok, why}:
		case <-ctx.Done():
			return
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// nextProbe returns the wait that follows one of wait: the interval once the check
// has passed.
func nextProbe(wait, interval time.Duration, steady bool) time.Duration {
	if steady {
		return interval
	}
	return min(2*wait, slowProbe, interval)
}

// once asks, and returns why the answer does not pass, or nothing.
func (p prober) once(ctx context.Context, client *http.Client, check fairlead.Check) (why string) {
	path := check.Path
	if path == "" {
		path = "/"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port))+path, nil)
	if err != nil {
		return err.Error()
	}
	request.Header.Set("User-Agent", "fairlead-probe")
	response, err := client.Do(request)
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("nothing listens on port %d", p.port)
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Sprintf("GET %s on port %d did not answer within %s", path, p.port, check.Timeout)
	case err != nil:
		return fmt.Sprintf("GET %s on port %d: %v", path, p.port, errors.Unwrap(err)) // without the URL, whose address is no real one
	}
	response.Body.Close()
	if !passes(check, response.StatusCode) {
		return fmt.Sprintf("GET %s answers %d", path, response.StatusCode)
	}
	return ""
}
