// Package guard gets the numbers of guards: from a server that answers PromQL by the
// Prometheus HTTP API, or from the metrics that a release's own instances serve. What
// answers is not trusted: its size and its time are bounded, and only one finite
// number counts. A guard is a plain threshold, without a stated error.
package guard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/dialpass"
	"github.com/fairlead/fairlead/rollout"
)

const (
	answerWithin = 5 * time.Second // one call
	answerMost   = 8 << 20         // bytes of one answer
	headMost     = 64 << 10        // bytes of its head
)

// Reader looks at guards. It is safe for concurrent use and keeps no connections.
type Reader struct{}

var _ rollout.Guards = Reader{}

// Look returns a guard's number. Its error says in a few words why there is none.
func (r Reader) Look(ctx context.Context, g fairlead.Guard, at rollout.GuardPlace) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	if g.Metric != "" {
		return r.metric(ctx, g, at.Instances)
	}
	return r.query(ctx, g, at)
}

// get returns the body of a good answer.
func get(ctx context.Context, address string, dial func(ctx context.Context, network, address string) (net.Conn, error), accept string) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, nil, errors.New("its address cannot be called")
	}
	request.Header.Set("Accept", accept)
	request.Header.Set("User-Agent", "fairlead-guard")
	client := http.Client{
		Transport: &http.Transport{
			DialContext: dial, DisableKeepAlives: true, TLSHandshakeTimeout: answerWithin, MaxResponseHeaderBytes: headMost,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, silence(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, answerMost+1))
	switch {
	case err != nil:
		return 0, nil, silence(err)
	case len(body) > answerMost:
		return 0, nil, fmt.Errorf("the answer has more than %d MiB", answerMost>>20)
	}
	return response.StatusCode, body, nil
}

// silence says why there is no answer, without the address, which may hold a password.
// What answered may be quoted in it.
func silence(err error) error {
	var called *url.Error
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s", answerWithin)
	}
	if errors.As(err, &called) {
		err = called.Err
	}
	return errors.New(clean(err.Error()))
}

// dialer returns what connects to an instance, as the gateway does.
func dialer(address string) (func(ctx context.Context, network, address string) (net.Conn, error), error) {
	how, where, _ := strings.Cut(address, ":")
	switch how {
	case "tcp":
		return func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", where)
		}, nil
	case "pass":
		return func(ctx context.Context, _, _ string) (net.Conn, error) { return dialpass.Dial(ctx, where) }, nil
	}
	return nil, errors.New("its instance has an address of an unknown form")
}

// clean makes a stranger's words fit for a line of the ledger.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' ' // also what turns the direction of text, or moves a terminal's cursor
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + "..."
	}
	return s
}
