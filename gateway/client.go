package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/unixsock"
)

const answerMost = 64 << 20 // bytes of an answer that a client reads

// Client speaks to a gateway's control socket. Errors are *fairlead.Error: code
// unavailable when the gateway was not reached, else the gateway's own code. It is
// safe for concurrent use.
type Client struct{ http *http.Client }

// NewClient returns a client of the socket at path. It connects when it is used.
func NewClient(path string) *Client {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return unixsock.Dial(ctx, path)
		},
		MaxIdleConns: 4, IdleConnTimeout: 30 * time.Second,
	}
	return &Client{http: &http.Client{Transport: transport}}
}

// Close gives up kept connections. The client can be used again.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Apply puts a snapshot in force. When it returns nil, the snapshot is on the
// gateway's disk, new requests follow it, and Status counts every request that
// chose its instance before. An order that is not newer is code conflict.
func (c *Client) Apply(ctx context.Context, s Snapshot) error {
	return c.call(ctx, "apply snapshot", http.MethodPut, "/snapshot", s, nil)
}

// Renew renews the leases that have not run out; only a snapshot ends an expiry.
func (c *Client) Renew(ctx context.Context, order fairlead.Order) error {
	return c.call(ctx, "renew leases", http.MethodPost, "/lease", order, nil)
}

// Status returns what the gateway says of itself.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	return s, c.call(ctx, "ask gateway for status", http.MethodGet, "/status", nil, &s)
}

// Blocks returns blocks that are not acknowledged, oldest first, those of earlier
// boots too. It waits at most wait (up to 30 s) for the first one, and returns
// none when there is none. Blocks come again until they are acknowledged.
func (c *Client) Blocks(ctx context.Context, wait time.Duration) ([]fairlead.Block, error) {
	var blocks []fairlead.Block
	path := "/blocks?wait=" + url.QueryEscape(wait.String())
	return blocks, c.call(ctx, "read blocks", http.MethodGet, path, nil, &blocks)
}

// Ack tells the gateway that blocks are stored. One of an older term than the
// gateway has seen is code conflict.
func (c *Client) Ack(ctx context.Context, acks []Ack) error {
	return c.call(ctx, "acknowledge blocks", http.MethodPost, "/ack", acks, nil)
}

// Events returns the events with numbers after n that the gateway has kept (the
// newest 2000 at least), oldest first.
func (c *Client) Events(ctx context.Context, n uint64) ([]Event, error) {
	var events []Event
	return events, c.call(ctx, "read events", http.MethodGet, "/events?after="+strconv.FormatUint(n, 10), nil, &events)
}

// Metrics returns what the gateway counts, in Prometheus's text format.
func (c *Client) Metrics(ctx context.Context) ([]byte, error) {
	return c.ask(ctx, "read metrics", http.MethodGet, "/metrics", nil)
}

func (c *Client) call(ctx context.Context, op, method, path string, in, out any) error {
	data, err := c.ask(ctx, op, method, path, in)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fairlead.Errorf(fairlead.Corrupt, op, "the gateway's answer: %w", err)
	}
	return nil
}

// ask sends in as JSON, unless it is nil, and returns the answer's body.
func (c *Client) ask(ctx context.Context, op, method, path string, in any) ([]byte, error) {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return nil, fairlead.Errorf(fairlead.Internal, op, "%w", err)
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://gateway"+path, body)
	if err != nil {
		return nil, fairlead.Errorf(fairlead.Internal, op, "%w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fairlead.Errorf(fairlead.Unavailable, op, "%w", err).WithHint("is the gateway running?")
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, answerMost))
	if err != nil {
		return nil, fairlead.Errorf(fairlead.Unavailable, op, "%w", err)
	}
	if resp.StatusCode >= 400 {
		return nil, problemError(op, resp.Status, data)
	}
	return data, nil
}

// problemError returns the error that a gateway answered.
func problemError(op, status string, data []byte) error {
	var p problem
	if json.Unmarshal(data, &p) != nil || p.Code == "" {
		return fairlead.Errorf(fairlead.Internal, op, "the gateway answered %s", status)
	}
	e := &fairlead.Error{Code: p.Code, Op: op, Err: errors.New(p.Detail)}
	if p.Hint != "" {
		return e.WithHint("%s", p.Hint)
	}
	return e
}
