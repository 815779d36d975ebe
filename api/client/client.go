package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/keyfile"
	"github.com/fairlead/fairlead/internal/unixsock"
	"github.com/fairlead/fairlead/workload"
)

// SocketName and TokenName are files of the state directory: the Unix socket of
// the API, and the first administrator's token (mode 0600).
const (
	SocketName = "control.sock"
	TokenName  = "admin.token"
)

// Client speaks to one control plane. It is safe for concurrent use.
type Client struct {
	base  string
	token string
	http  *http.Client
}

// Local returns a client of the control plane that owns a state directory. It
// uses the Unix socket; nothing is dialled before the first call.
func Local(stateDir string) *Client {
	socket := filepath.Join(stateDir, SocketName)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return unixsock.Dial(ctx, socket) }
	return &Client{base: "http://fairlead", http: &http.Client{Transport: &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 8}}}
}

// Remote returns a client of the control plane at a base URL, with a bearer token.
func Remote(baseURL, token string) *Client {
	return &Client{base: strings.TrimRight(baseURL, "/"), token: token, http: &http.Client{}}
}

// Within returns a client of a control plane in this process, which transport calls and
// which knows from it who calls.
func Within(transport http.RoundTripper) *Client {
	return &Client{base: "http://fairlead", http: &http.Client{Transport: transport}}
}

// WithToken returns c with a bearer token for its calls, for a caller whose peer
// credentials do not count.
func (c *Client) WithToken(token string) *Client {
	with := *c
	with.token = token
	return &with
}

// ReadToken returns the administrator's token of a state directory, or "" when
// there is none, it may not be read, or others may read it too.
func ReadToken(stateDir string) string {
	data, err := keyfile.Read(filepath.Join(stateDir, TokenName))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// Version asks who answers.
func (c *Client) Version(ctx context.Context) (Version, error) {
	return call[Version](ctx, c, http.MethodGet, "/v1/version", nil)
}

// Apps lists all apps.
func (c *Client) Apps(ctx context.Context) ([]App, error) {
	return call[[]App](ctx, c, http.MethodGet, "/v1/apps", nil)
}

// App returns one app.
func (c *Client) App(ctx context.Context, app string) (App, error) {
	return call[App](ctx, c, http.MethodGet, "/v1/apps/"+url.PathEscape(app), nil)
}

// Releases returns an app's releases, newest first.
func (c *Client) Releases(ctx context.Context, app string) ([]Release, error) {
	return call[[]Release](ctx, c, http.MethodGet, "/v1/apps/"+url.PathEscape(app)+"/releases", nil)
}

// Deploy makes a release and starts its rollout. It answers before the rollout ends.
func (c *Client) Deploy(ctx context.Context, d Deploy) (Deployed, error) {
	return call[Deployed](ctx, c, http.MethodPost, "/v1/deploy", d)
}

// DeployTelling is Deploy, and calls tell with how far it is while an image is
// fetched or built, which may take long.
func (c *Client) DeployTelling(ctx context.Context, d Deploy, tell func(fairlead.Progress)) (Deployed, error) {
	data, err := json.Marshal(d)
	if err != nil {
		return Deployed{}, fmt.Errorf("encode request: %w", err)
	}
	resp, err := c.send(ctx, http.MethodPost, "/v1/deploy/progress", bytes.NewReader(data), "application/json")
	if err != nil {
		return Deployed{}, err
	}
	defer resp.Body.Close()
	var last DeployStep
	err = decodeLines(resp.Body, func(step DeployStep) error {
		if last = step; step.Progress != nil {
			tell(*step.Progress)
		}
		return nil
	})
	switch {
	case last.Problem != nil:
		return Deployed{}, last.Problem.error()
	case last.Deployed != nil:
		return *last.Deployed, nil
	case ctx.Err() != nil:
		return Deployed{}, ctx.Err()
	}
	return Deployed{}, fairlead.Errorf(fairlead.Unavailable, "", "the server ended before it said what became of it: %w", cmp.Or(err, io.ErrUnexpectedEOF)).
		WithHint("see what is where with: fairlead status; then deploy again")
}

// Promote starts the rollout of an existing release in an environment.
func (c *Client) Promote(ctx context.Context, p Promote) (Deployed, error) {
	return call[Deployed](ctx, c, http.MethodPost, "/v1/promote", p)
}

// Act asks rollback, pause, resume or abort of a site and returns its newest rollout.
func (c *Client) Act(ctx context.Context, site fairlead.Site, action string, a Act) (Rollout, error) {
	return call[Rollout](ctx, c, http.MethodPost, sitePath(site)+"/"+action, a)
}

// Rollout returns a rollout by its id.
func (c *Client) Rollout(ctx context.Context, id string) (Rollout, error) {
	return call[Rollout](ctx, c, http.MethodGet, "/v1/rollouts/"+url.PathEscape(id), nil)
}

// Explain says why a site is where it is.
func (c *Client) Explain(ctx context.Context, site fairlead.Site) (Explanation, error) {
	return call[Explanation](ctx, c, http.MethodGet, sitePath(site)+"/explain", nil)
}

// Secrets lists the versions of an environment's secrets.
func (c *Client) Secrets(ctx context.Context, env string) ([]Secret, error) {
	return call[[]Secret](ctx, c, http.MethodGet, "/v1/secrets/"+url.PathEscape(env), nil)
}

// SetSecret stores a new version of a secret.
func (c *Client) SetSecret(ctx context.Context, env, name string, v SecretValue) (Secret, error) {
	return call[Secret](ctx, c, http.MethodPut, "/v1/secrets/"+url.PathEscape(env)+"/"+url.PathEscape(name), v)
}

// RemoveSecret destroys all versions of a secret.
func (c *Client) RemoveSecret(ctx context.Context, env, name string) error {
	_, err := call[struct{}](ctx, c, http.MethodDelete, "/v1/secrets/"+url.PathEscape(env)+"/"+url.PathEscape(name), nil)
	return err
}

// Report reports values of requests that were answered. What is taken is recorded,
// and may be sent again: it counts once.
func (c *Client) Report(ctx context.Context, in Signals) (SignalsTaken, error) {
	return call[SignalsTaken](ctx, c, http.MethodPost, "/v1/signals", in)
}

// CreateToken makes a token for a program.
func (c *Client) CreateToken(ctx context.Context, t NewToken) (MadeToken, error) {
	return call[MadeToken](ctx, c, http.MethodPost, "/v1/tokens", t)
}

// Tokens lists the tokens of programs.
func (c *Client) Tokens(ctx context.Context) ([]Token, error) {
	return call[[]Token](ctx, c, http.MethodGet, "/v1/tokens", nil)
}

// RevokeToken makes a token worthless.
func (c *Client) RevokeToken(ctx context.Context, name string) error {
	_, err := call[struct{}](ctx, c, http.MethodDelete, "/v1/tokens/"+url.PathEscape(name), nil)
	return err
}

// ConsoleLink makes a link that opens the console once.
func (c *Client) ConsoleLink(ctx context.Context, n NewLink) (Link, error) {
	return call[Link](ctx, c, http.MethodPost, "/v1/console/links", n)
}

// EndSessions ends every session of the console.
func (c *Client) EndSessions(ctx context.Context) (EndedSessions, error) {
	return call[EndedSessions](ctx, c, http.MethodDelete, "/v1/console/sessions", nil)
}

// Shutdown ends the control plane. With all, instances and gateway end too;
// otherwise they go on and are adopted by the next `fairlead up`.
func (c *Client) Shutdown(ctx context.Context, all bool) error {
	_, err := call[struct{}](ctx, c, http.MethodPost, "/v1/shutdown?all="+strconv.FormatBool(all), struct{}{})
	return err
}

// Missing returns which of the digests the content store does not hold.
func (c *Client) Missing(ctx context.Context, digests []fairlead.Digest) ([]fairlead.Digest, error) {
	return call[[]fairlead.Digest](ctx, c, http.MethodPost, "/v1/blobs/missing", digests)
}

// PutBlob uploads content, which must have the digest.
func (c *Client) PutBlob(ctx context.Context, digest fairlead.Digest, content io.Reader) error {
	resp, err := c.send(ctx, http.MethodPut, "/v1/blobs/"+string(digest), content, "application/octet-stream")
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// Logs opens the log lines of a site's instances: time, instance, stream, text.
// The caller closes them.
func (c *Client) Logs(ctx context.Context, site fairlead.Site, instance string, o workload.LogOptions) (io.ReadCloser, error) {
	q := url.Values{"tail": {strconv.Itoa(o.Tail)}, "follow": {strconv.FormatBool(o.Follow)}, "instance": {instance}}
	return c.stream(ctx, sitePath(site)+"/logs?"+q.Encode())
}

// Events calls each with the ledger's entries from position from on; with follow
// it goes on until the context ends or each returns an error.
func (c *Client) Events(ctx context.Context, from uint64, follow bool, each func(Event) error) error {
	return c.events(ctx, fmt.Sprintf("from=%d", from), follow, each)
}

// NewestEvents is Events from the newest n entries on.
func (c *Client) NewestEvents(ctx context.Context, n int, follow bool, each func(Event) error) error {
	return c.events(ctx, fmt.Sprintf("tail=%d", n), follow, each)
}

func (c *Client) events(ctx context.Context, which string, follow bool, each func(Event) error) error {
	body, err := c.stream(ctx, fmt.Sprintf("/v1/events?%s&follow=%t", which, follow))
	if err != nil {
		return err
	}
	defer body.Close()
	return decodeLines(body, each)
}

func sitePath(site fairlead.Site) string {
	return "/v1/sites/" + url.PathEscape(site.App) + "/" + url.PathEscape(site.Env)
}

func (c *Client) stream(ctx context.Context, path string) (io.ReadCloser, error) {
	resp, err := c.send(ctx, http.MethodGet, path, nil, "")
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

func call[T any](ctx context.Context, c *Client, method, path string, in any) (T, error) {
	var out T
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return out, fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(data)
	}
	within, cancel := ctx, context.CancelFunc(func() {})
	if method == http.MethodGet || strings.HasPrefix(path, "/v1/shutdown") { // others may build or upload
		within, cancel = context.WithTimeout(ctx, answerWithin)
	}
	defer cancel()
	resp, err := c.send(within, method, path, body, "application/json")
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return out, noServer(err)
	}
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNoContent {
		return out, nil
	}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		return out, fairlead.Errorf(fairlead.Internal, method+" "+path, "answer cannot be read: %w", err)
	}
	return out, nil
}

func (c *Client) send(ctx context.Context, method, path string, body io.Reader, contentType string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, noServer(err)
	}
	if resp.StatusCode >= 400 {
		defer resp.Body.Close()
		return nil, problemError(resp)
	}
	return resp, nil
}

// answerWithin is how long a server may take over a question. One that takes longer
// hangs, or is stopped.
const answerWithin = 10 * time.Second

// ErrNoServer is in the chain of errors for a control plane that does not answer.
var ErrNoServer = errors.New("no Fairlead server answers")

func noServer(err error) error {
	return (&fairlead.Error{Code: fairlead.Unavailable, Err: fmt.Errorf("%w: %w", ErrNoServer, err)}).
		WithHint("start one with: fairlead up")
}

// Problem is an error on the wire (RFC 9457).
type Problem struct {
	Type   string        `json:"type"`
	Title  string        `json:"title"`
	Status int           `json:"status"`
	Detail string        `json:"detail"`
	Code   fairlead.Code `json:"code"`
	Op     string        `json:"operation,omitempty"`
	Hint   string        `json:"hint,omitempty"`
}

func problemError(resp *http.Response) error {
	data, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	var p Problem
	if err := json.Unmarshal(data, &p); err != nil || p.Detail == "" {
		return fairlead.Errorf(fairlead.Internal, "", "the server answered %s: %.200s", resp.Status, data)
	}
	return p.error()
}

// error is the problem as the caller's error.
func (p Problem) error() error {
	if p.Code == "" {
		p.Code = fairlead.Internal
	}
	return &fairlead.Error{Code: p.Code, Op: p.Op, Err: Answer(p.Detail), Hint: p.Hint}
}

// Answer is the cause of an error that a server answered, in its words.
type Answer string

// Error returns the words.
func (a Answer) Error() string { return string(a) }

func decodeLines[T any](r io.Reader, each func(T) error) error {
	dec := json.NewDecoder(r)
	for {
		var v T
		err := dec.Decode(&v)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read stream: %w", err)
		}
		if err := each(v); err != nil {
			return err
		}
	}
}
