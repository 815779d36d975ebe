// Package boundedget asks strangers by HTTP: an answer's size, head and time are
// bounded, redirects are not followed, connections are not kept, and what is quoted
// of a stranger is fit for a line of a record.
package boundedget

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
)

// headMost bounds the head of an answer, in bytes.
const headMost = 64 << 10

// Ask is one question.
type Ask struct {
	URL    string
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
	Accept string
	Agent  string
	Within time.Duration // for all of it
	Most   int64         // bytes of the answer's body
}

// Answer is what came back, with any status.
type Answer struct {
	Status int
	Type   string // of its content
	Body   []byte
}

// Get asks. Its error says in a few words why there is no answer, without the URL,
// which may hold a password.
func Get(ctx context.Context, a Ask) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, a.Within)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL, nil)
	if err != nil {
		return Answer{}, errors.New("its address cannot be called")
	}
	request.Header.Set("Accept", a.Accept)
	request.Header.Set("User-Agent", a.Agent)
	client := http.Client{
		Transport:     &http.Transport{DialContext: a.Dial, DisableKeepAlives: true, TLSHandshakeTimeout: a.Within, MaxResponseHeaderBytes: headMost},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		return Answer{}, a.silence(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, a.Most+1))
	switch {
	case err != nil:
		return Answer{}, a.silence(err)
	case int64(len(body)) > a.Most:
		return Answer{}, fmt.Errorf("the answer has more than %d MiB", a.Most>>20)
	}
	return Answer{Status: response.StatusCode, Type: response.Header.Get("Content-Type"), Body: body}, nil
}

func (a Ask) silence(err error) error {
	var called *url.Error
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s", a.Within)
	}
	if errors.As(err, &called) {
		err = called.Err
	}
	return errors.New(Clean(err.Error()))
}

// quoted is how many bytes of a stranger's words are kept.
const quoted = 200

// Clean makes a stranger's words fit for a line of a record: printable, and short.
func Clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' ' // also what turns the direction of text, or moves a terminal's cursor
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > quoted {
		s = strings.ToValidUTF8(s[:quoted], "") + "..."
	}
	return s
}
