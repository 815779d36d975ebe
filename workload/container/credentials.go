package container

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/moby/moby/api/types/registry"

	"github.com/fairlead/fairlead"
)

// Credentials open a registry. The zero value asks as anybody. They print as
// nothing of what they hold.
type Credentials struct {
	Host     string // the registry that they are for
	user     string
	password string
	token    string // instead of a password
}

// String hides what c holds.
func (c Credentials) String() string { return "credentials of " + c.Host }

// GoString hides what c holds.
func (c Credentials) GoString() string { return c.String() }

// MarshalText hides what c holds.
func (c Credentials) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// header is how an engine's API takes credentials.
func (c Credentials) header() string {
	if c.user == "" && c.token == "" {
		return ""
	}
	data, err := json.Marshal(registry.AuthConfig{Username: c.user, Password: c.password, IdentityToken: c.token, ServerAddress: c.Host})
	if err != nil {
		panic(fmt.Sprintf("credentials of plain text do not marshal: %v", err)) // cannot happen
	}
	return base64.URLEncoding.EncodeToString(data)
}

// hub is the name by which Docker's configuration knows docker.io.
const hub = "https://index.docker.io/v1/"

// dockerConfig is what is read of a Docker configuration.
type dockerConfig struct {
	Auths   map[string]dockerAuth `json:"auths"`
	Store   string                `json:"credsStore"`
	Helpers map[string]string     `json:"credHelpers"`
}

type dockerAuth struct {
	Auth     string `json:"auth"` // base64 of user:password
	Username string `json:"username"`
	Password string `json:"password"`
	Token    string `json:"identitytoken"`
}

// ReadCredentials reads what a secret says of an image's registry: "user:password",
// or a Docker configuration, whose helpers are not run.
func ReadCredentials(secret []byte, image string) (Credentials, error) {
	const op = "read the registry's credentials"
	host := registryOf(image)
	text := strings.TrimSpace(string(secret))
	if !strings.HasPrefix(text, "{") {
		user, password, ok := strings.Cut(text, ":")
		if !ok || user == "" || password == "" || strings.ContainsAny(text, "\r\n") {
			return Credentials{}, fairlead.Errorf(fairlead.Invalid, op, "the secret holds neither user:password nor a Docker configuration").
				WithHint("set it anew: fairlead secret set")
		}
		return Credentials{Host: host, user: user, password: password}, nil
	}
	var config dockerConfig
	if json.Unmarshal([]byte(text), &config) != nil { // its error could quote the secret
		return Credentials{}, fairlead.Errorf(fairlead.Invalid, op, "the secret begins as a Docker configuration and is no JSON of one")
	}
	c, ok, err := config.of(host)
	if err == nil && !ok {
		err = fairlead.Errorf(fairlead.NotFound, op, "the Docker configuration in the secret has none for %s", host)
	}
	return c, err
}

// ForAll refuses a secret of the form "user:password", which does not say whose it is,
// for images of several registries: each would be sent it.
func ForAll(secret []byte, images []string) error {
	if strings.HasPrefix(strings.TrimSpace(string(secret)), "{") {
		return nil
	}
	for _, image := range images {
		if one, other := registryOf(images[0]), registryOf(image); one != other {
			return fairlead.Errorf(fairlead.Invalid, "read the registry's credentials", "the secret holds user:password, and the images are of both %s and %s, of which only one should see it", one, other).
				WithHint("store a Docker configuration as the secret, which says what is for whom: fairlead secret set")
		}
	}
	return nil
}

// of returns the credentials for a registry that stand in the configuration itself.
func (d dockerConfig) of(host string) (Credentials, bool, error) {
	for key, auth := range d.Auths {
		if registryKey(key) != host {
			continue
		}
		c := Credentials{Host: host, user: auth.Username, password: auth.Password, token: auth.Token}
		if auth.Auth != "" {
			plain, err := base64.StdEncoding.DecodeString(auth.Auth)
			user, password, ok := strings.Cut(strings.TrimRight(string(plain), "\x00"), ":")
			if err != nil || !ok {
				return Credentials{}, false, fairlead.Errorf(fairlead.Invalid, "read the registry's credentials", "auth of %s is not base64 of user:password", host)
			}
			c.user, c.password = user, password
		}
		if c.user != "" || c.token != "" {
			return c, true, nil
		}
	}
	return Credentials{}, false, nil
}

// registryKey returns the registry that an entry of a Docker configuration is for.
func registryKey(key string) string {
	if key == hub || key == "index.docker.io" {
		return "docker.io"
	}
	_, rest, found := strings.Cut(key, "://")
	if !found {
		rest = key
	}
	host, _, _ := strings.Cut(rest, "/")
	return host
}

// Login returns what the Docker configuration of this user has for an image's
// registry: $DOCKER_CONFIG/config.json or ~/.docker/config.json. The zero value is
// returned where it has nothing.
func Login(ctx context.Context, getenv func(string) string, image string) (Credentials, error) {
	const op = "read the Docker configuration"
	host := registryOf(image)
	dir := getenv("DOCKER_CONFIG")
	if dir == "" {
		dir = filepath.Join(getenv("HOME"), ".docker")
	}
	file := filepath.Join(dir, "config.json")
	data, err := readSmall(file)
	if errors.Is(err, fs.ErrNotExist) {
		return Credentials{}, nil
	}
	if err != nil {
		return Credentials{}, fairlead.Errorf(fairlead.Forbidden, op, "%w", err).WithHint("it is the server's user who reads it; name another directory with $DOCKER_CONFIG")
	}
	var config dockerConfig
	if json.Unmarshal(data, &config) != nil {
		return Credentials{}, fairlead.Errorf(fairlead.Invalid, op, "%s is no Docker configuration", file).WithHint("look at it, or log in again: docker login")
	}
	key := host
	if host == "docker.io" {
		key = hub
	}
	helper := config.Store
	for name, special := range config.Helpers {
		if registryKey(name) == host {
			helper = special
		}
	}
	if helper != "" {
		return help(ctx, helper, key, host)
	}
	c, _, err := config.of(host)
	return c, err
}

func readSmall(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 1<<20+1))
	if err == nil && len(data) > 1<<20 {
		err = fmt.Errorf("%s has more than 1 MiB", file)
	}
	return data, err
}

// helperName is what a helper may be called: a program of the path, never a path.
var helperName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

const (
	helperWithin = 20 * time.Second
	maxHelped    = 1 << 16
)

// help asks a credential helper, a program that Docker's configuration names. See
// https://github.com/docker/docker-credential-helpers for its protocol.
func help(ctx context.Context, helper, key, host string) (Credentials, error) {
	op := "ask the credential helper " + helper
	if !helperName.MatchString(helper) {
		return Credentials{}, fairlead.Errorf(fairlead.Invalid, op, "that is no name of a helper")
	}
	ctx, cancel := context.WithTimeout(ctx, helperWithin)
	defer cancel()
	var out limited
	cmd := exec.CommandContext(ctx, "docker-credential-"+helper, "get")
	cmd.Stdin, cmd.Stdout, cmd.WaitDelay = strings.NewReader(key), &out, time.Second
	err := cmd.Run()
	if err != nil && bytes.Contains(out.data, []byte("credentials not found")) {
		return Credentials{}, nil
	}
	if err != nil { // what it wrote may be a secret
		return Credentials{}, fairlead.Errorf(fairlead.Unavailable, op, "%w", err).
			WithHint("try it: echo %s | docker-credential-%s get; or name a secret under spec.artifact.credentials", key, helper)
	}
	var found struct{ Username, Secret string }
	if json.Unmarshal(out.data, &found) != nil || found.Secret == "" {
		return Credentials{}, fairlead.Errorf(fairlead.Invalid, op, "its answer is not what helpers answer")
	}
	if found.Username == "<token>" {
		return Credentials{Host: host, token: found.Secret}, nil
	}
	return Credentials{Host: host, user: found.Username, password: found.Secret}, nil
}

// limited keeps the first bytes that are written to it.
type limited struct{ data []byte }

// Write never fails, so that who writes is not stopped by a full pipe.
func (l *limited) Write(p []byte) (int, error) {
	l.data = append(l.data, p[:min(len(p), maxHelped-len(l.data))]...)
	return len(p), nil
}
