package container

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/moby/moby/client"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/disk"
)

// reason is why an engine could not pull an image.
type reason struct {
	code  fairlead.Code
	says  string // for people
	hint  string
	short string // in a line of progress
	again bool   // another attempt may succeed
	name  string
	cause error
}

// err puts the reason in words.
func (r reason) err(e *Engine) error {
	if client.IsErrConnectionFailed(r.cause) {
		return e.failed("pull "+r.name, r.cause)
	}
	return fairlead.Errorf(r.code, "pull "+r.name, "%s: %w", r.says, said{r.cause}).WithHint("%s", r.hint)
}

// said is an engine's error without what it repeats and what nobody may see, and cut.
type said struct{ error }

// Error returns the engine's words.
func (s said) Error() string {
	text := onScreen(strings.TrimPrefix(s.error.Error(), "Error response from daemon: "))
	if len(text) > 400 {
		text = text[:400] + "..."
	}
	return text
}

// Unwrap returns the engine's error.
func (s said) Unwrap() error { return s.error }

// symptom is what engines say, in small letters, when something is the reason.
// Neither Docker nor Podman has codes for them: the words of Docker 20.10 to 29 and
// of Podman 4 and 5 stand here.
type symptom struct {
	words []string
	is    reason
}

// refusal finds out why an image was not pulled.
func refusal(name string, err error) reason {
	text := strings.ToLower(err.Error())
	for _, s := range symptoms(name) {
		for _, words := range s.words {
			if strings.Contains(text, words) {
				s.is.name, s.is.cause = name, err
				return s.is
			}
		}
	}
	r := reason{code: fairlead.Unavailable, says: "the pull failed", hint: "deploy again; what the engine says tells more: journalctl -u docker", short: "the pull failed", name: name, cause: err}
	if errors.Is(err, errSilent) || strings.HasSuffix(text, "eof") {
		r.again, r.short = true, "nothing came any more"
	}
	return r
}

func symptoms(name string) []symptom {
	host := registryOf(name)
	return []symptom{
		{[]string{"no space left on device", "disk quota exceeded"}, reason{
			code: fairlead.Unavailable, says: "the engine's disk is full", short: "the disk is full", hint: fullHint,
		}},
		{[]string{"no matching manifest", "no image found in manifest list", "no image found in image index", "does not match the specified platform", "does not provide the specified platform", "choosing an image from manifest list", "operating system cannot be used"}, reason{
			code: fairlead.Invalid, says: "the registry has it, but not for this machine", short: "not for this machine",
			hint: "build and push it for this machine as well: docker buildx build --platform " + here(),
		}},
		{[]string{"toomanyrequests", "too many requests", "rate limit"}, reason{
			code: fairlead.Unavailable, says: "the registry " + host + " takes no more requests from here for now", short: "too many requests", again: true,
			hint: "wait, or name credentials that may pull more: spec.artifact.credentials",
		}},
		{[]string{"unauthorized", "no basic auth credentials", "authentication required", "access denied", "denied:", "401 ", "403 ", "forbidden", "unable to retrieve auth token", "invalid username/password", "incorrect username or password"}, reason{
			code: fairlead.Forbidden, says: "the registry " + host + " does not give it to who asked", short: "not allowed",
			hint: fmt.Sprintf("is the name right? If it is private, log in as the user who runs the server: docker login %s; or name a secret that holds user:password under spec.artifact.credentials", host),
		}},
		{[]string{"manifest unknown", "name unknown", "not found", "name invalid", "repository does not exist", "no such image", "404 "}, reason{
			code: fairlead.NotFound, says: "the registry " + host + " has no such image", short: "no such image",
			hint: "was it pushed? See the name and the tag under spec.artifact.image",
		}},
		{[]string{"gave http response to https client"}, reason{
			code: fairlead.Unavailable, says: "the registry " + host + " speaks no TLS", short: "no TLS",
			hint: "name it under insecure-registries in /etc/docker/daemon.json, or as insecure in registries.conf for Podman, if its network is yours alone",
		}},
		{[]string{"x509:", "certificate"}, reason{
			code: fairlead.Unavailable, says: "the registry " + host + " cannot prove who it is", short: "its certificate is not trusted",
			hint: "give the engine its authority's certificate: /etc/docker/certs.d/" + host + "/ca.crt",
		}},
		{[]string{"connection refused", "no such host", "i/o timeout", "connection reset", "unexpected eof", "tls handshake timeout", "network is unreachable", "no route to host", "temporary failure", "server misbehaving", "context deadline exceeded", "broken pipe", "eof", "500 internal", "502 bad", "503 service", "504 gateway", "verification failed", "don't understand your range", "requested range not satisfiable"}, reason{
			code: fairlead.Unavailable, says: "the registry " + host + " cannot be reached, or broke off", short: "the registry does not answer", again: true,
			hint: "is the network up, and the name right? The engine has no image of this name of its own; then deploy again",
		}},
	}
}

const fullHint = disk.FullHint + "; engines say what of theirs is not needed: docker system df, docker image prune"

// registryOf returns the registry of an image's name.
func registryOf(name string) string {
	if strings.Contains(name, "://") {
		if u, err := url.Parse(name); err == nil {
			return u.Host
		}
	}
	repository, _ := Split(name)
	host, _, _ := strings.Cut(familiar(repository), "/")
	return host
}

// Pinned writes the name of an image by its digest, in full.
func Pinned(repository, digest string) string { return familiar(repository) + "@" + digest }

// Split parts an image's name into its repository and its tag or digest.
func Split(name string) (repository, version string) {
	if repository, digest, ok := strings.Cut(name, "@"); ok {
		repository, _ = Split(repository)
		return repository, digest
	}
	if colon := strings.LastIndex(name, ":"); colon > strings.LastIndex(name, "/") {
		return name[:colon], name[colon+1:]
	}
	return name, "latest"
}
