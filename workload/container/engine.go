package container

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/moby/moby/client"

	"github.com/fairlead/fairlead"
)

// Engine is a connection to a container engine. It is safe for concurrent use.
type Engine struct {
	Host    string // such as "unix:///run/docker.sock"
	Name    string // such as "Docker 20.10.24" or "Podman 4.3.1"
	Version string // of the API that is spoken
	api     *client.Client
}

// Find returns where an engine listens: where $DOCKER_HOST or $CONTAINER_HOST says,
// else the first known socket that there is, else nothing.
func Find(getenv func(string) string) (host string) {
	for _, name := range []string{"DOCKER_HOST", "CONTAINER_HOST"} {
		if host := getenv(name); host != "" {
			return host
		}
	}
	places := []string{"/run/docker.sock", "/var/run/docker.sock", "/run/podman/podman.sock"}
	if dir := getenv("XDG_RUNTIME_DIR"); dir != "" {
		places = append([]string{filepath.Join(dir, "docker.sock"), filepath.Join(dir, "podman", "podman.sock")}, places...)
	}
	for _, place := range places {
		if info, err := os.Stat(place); err == nil && info.Mode()&fs.ModeSocket != 0 {
			return "unix://" + place
		}
	}
	return ""
}

// getOne tells how to get an engine.
const getOne = "install one and start it: on Debian `apt-get install docker.io`, or `apt-get install podman` and `podman system service --time=0`; then name its socket with --engine or $DOCKER_HOST"

// Open connects to the engine that listens at host.
//
// Errors: unavailable where none answers, forbidden where its socket may not be
// used, unsupported where it is too old.
func Open(ctx context.Context, host string) (*Engine, error) {
	const op = "open the container engine"
	if host == "" {
		return nil, fairlead.Errorf(fairlead.Unavailable, op, "no container engine was found").WithHint(getOne)
	}
	if !strings.HasPrefix(host, "unix://") {
		return nil, fairlead.Errorf(fairlead.Unsupported, op, "only engines of this machine can be used, and %s is none", ShownHost(host)).WithHint("name a socket, such as unix:///run/docker.sock")
	}
	api, err := client.New(client.WithHost(host))
	if err != nil {
		return nil, fairlead.Errorf(fairlead.Invalid, op, "%s: %w", host, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	e := &Engine{Host: host, api: api}
	if err := e.greet(ctx); err != nil {
		return nil, errors.Join(unreached(op, host, err), api.Close())
	}
	return e, nil
}

// greet learns who answers.
func (e *Engine) greet(ctx context.Context) error {
	name, err := e.nameByPing(ctx)
	if err != nil {
		return err
	}
	if _, err := e.api.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true}); err != nil { // later the client would go on with an engine that is too old
		return err
	}
	e.Version = e.api.ClientVersion()
	if e.Name = name; name != "" {
		return nil
	}
	version, err := e.api.ServerVersion(ctx, client.ServerVersionOptions{})
	if err != nil {
		return err
	}
	e.Name = "Docker " + version.Version
	for _, part := range version.Components {
		if strings.Contains(part.Name, "Podman") {
			e.Name = "Podman " + part.Version
		}
	}
	return nil
}

// nameByPing asks for what an engine calls itself in the header of any answer, which
// takes no time: for its version Docker runs other programs. It asks by itself, for the
// client does not say why a socket cannot be used. No name is no error.
func (e *Engine) nameByPing(ctx context.Context) (string, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", strings.TrimPrefix(e.Host, "unix://"))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if _, err := io.WriteString(conn, "GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n"); err != nil {
		return "", err
	}
	answer, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, 64<<10)), nil)
	if err != nil {
		return "", nil // the client asks again, and says what is wrong
	}
	answer.Body.Close()
	product, _, _ := strings.Cut(answer.Header.Get("Server"), " ")
	switch name, version, _ := strings.Cut(product, "/"); name {
	case "Docker":
		return "Docker " + version, nil
	case "Libpod":
		return "Podman " + version, nil
	}
	return "", nil
}

// ask calls the engine's API past the client, for what that does not know. body is a tar
// stream, or nil. The caller closes the answer's body.
func (e *Engine) ask(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://engine/v"+Oldest+path, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/x-tar")
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", strings.TrimPrefix(e.Host, "unix://"))
	}}
	answer, err := (&http.Client{Transport: transport}).Do(request)
	var asked *url.Error
	if errors.As(err, &asked) {
		err = asked.Err // not the question, which is long
	}
	return answer, err
}

// unreached puts why no engine can be used in words.
func unreached(op, host string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fairlead.Errorf(fairlead.Unavailable, op, "nothing listens at %s", host).WithHint(getOne)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fairlead.Errorf(fairlead.Unavailable, op, "nothing listens at %s any more", host).WithHint("start the engine: systemctl start docker")
	case errors.Is(err, fs.ErrPermission):
		return fairlead.Errorf(fairlead.Forbidden, op, "this user may not use %s", host).
			WithHint("run fairlead as a user of the socket's group (who may use it is as good as root); a rootless engine of this user's own builds images, but its instances cannot be reached")
	case strings.Contains(err.Error(), "too old"), strings.Contains(err.Error(), "minimum supported"):
		return fairlead.Errorf(fairlead.Unsupported, op, "the engine at %s is too old: %w", host, err).WithHint("Docker 19.03 and Podman 3 are the oldest that are spoken to")
	}
	return fairlead.Errorf(fairlead.Unavailable, op, "%s: %w", host, err)
}

// Podman reports whether the engine is one. It does not tell what was built or loaded
// on this machine from what a registry gave.
func (e *Engine) Podman() bool { return strings.HasPrefix(e.Name, "Podman") }

// Close ends the connection.
func (e *Engine) Close() error { return e.api.Close() }
