package container

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/fairlead/fairlead"
)

// Image is a container image as an engine holds it.
type Image struct {
	ID       fairlead.Digest
	Pinned   []string // its names by digest, such as "docker.io/library/redis@sha256:..."; none for one that no registry gave
	Platform string   // such as "linux/amd64"
	User     string   // what it says it runs as
	WorkDir  string
	Command  []string // its entry point and arguments
	Ports    []int    // TCP ports that it exposes, sorted
	OnBuild  []string // what it has the builds on it do
	Bytes    int64    // size of its layers on disk
	Config   []byte   // what it says of itself, as canonical JSON that people can read
}

// maxConfig is the most bytes of JSON that an image may say of itself.
const maxConfig = 4 << 20

// Image returns the image that the engine has by a name or an id.
//
// Errors: not found where the engine has none.
func (e *Engine) Image(ctx context.Context, name string) (Image, error) {
	op := "look for the image " + name
	var raw bytes.Buffer
	found, err := e.api.ImageInspect(ctx, name, client.ImageInspectWithRawResponse(&raw))
	if errdefs.IsNotFound(err) {
		return Image{}, fairlead.Errorf(fairlead.NotFound, op, "%s has none of that name", e.Name)
	}
	if err != nil {
		return Image{}, e.failed(op, err)
	}
	if raw.Len() > maxConfig {
		return Image{}, fairlead.Errorf(fairlead.Invalid, op, "it says %d bytes of itself; at most %d are read", raw.Len(), maxConfig)
	}
	image := Image{ID: digestOf(found.ID), Bytes: found.Size, Platform: path.Join(found.Os, found.Architecture, found.Variant)}
	if !image.ID.Valid() {
		return Image{}, fairlead.Errorf(fairlead.Invalid, op, "%s calls it %.80q, which is no digest", e.Name, found.ID)
	}
	for _, pinned := range found.RepoDigests {
		if name, digest, ok := strings.Cut(pinned, "@"); ok && name != "" && name != "<none>" && fairlead.Digest(digest).Valid() {
			image.Pinned = append(image.Pinned, familiar(name)+"@"+digest)
		}
	}
	slices.Sort(image.Pinned)
	if err := image.describe(found); err != nil {
		return Image{}, fairlead.Errorf(fairlead.Invalid, op, "%w", err)
	}
	return image, nil
}

// described is what image.json says of an image, in a form that does not depend on
// the engine: two releases are compared by it.
type described struct {
	ID           fairlead.Digest   `json:"id"`
	Platform     string            `json:"platform"`
	Entrypoint   []string          `json:"entrypoint,omitempty"`
	Cmd          []string          `json:"cmd,omitempty"`
	Env          []string          `json:"env,omitempty"` // in the image's order, which counts
	User         string            `json:"user,omitempty"`
	WorkDir      string            `json:"workDir,omitempty"`
	ExposedPorts []string          `json:"exposedPorts,omitempty"`
	Volumes      []string          `json:"volumes,omitempty"`
	Labels       map[string]string `json:"labels,omitempty"`
	StopSignal   string            `json:"stopSignal,omitempty"`
	Healthcheck  []string          `json:"healthcheck,omitempty"`
	Layers       []string          `json:"layers"` // digests of their contents
}

// describe takes over what the image says of itself.
func (i *Image) describe(found client.ImageInspectResult) error {
	d := described{ID: i.ID, Platform: i.Platform, Layers: found.RootFS.Layers}
	if c := found.Config; c != nil {
		d.Entrypoint, d.Cmd, d.Env, d.User, d.WorkDir = c.Entrypoint, c.Cmd, c.Env, c.User, c.WorkingDir
		d.ExposedPorts, d.Volumes, d.Labels, d.StopSignal = sortedKeys(c.ExposedPorts), sortedKeys(c.Volumes), c.Labels, c.StopSignal
		i.OnBuild = c.OnBuild
		if c.Healthcheck != nil {
			d.Healthcheck = c.Healthcheck.Test
		}
	}
	i.User, i.WorkDir = d.User, d.WorkDir
	i.Command = append(slices.Clone(d.Entrypoint), d.Cmd...)
	for _, exposed := range d.ExposedPorts {
		number, protocol, named := strings.Cut(exposed, "/")
		port, err := strconv.ParseUint(number, 10, 16)
		if err != nil || port == 0 {
			return fmt.Errorf("it exposes %.40q, which is no port", exposed)
		}
		if !named || protocol == "tcp" {
			i.Ports = append(i.Ports, int(port))
		}
	}
	slices.Sort(i.Ports)
	var err error
	i.Config, err = json.MarshalIndent(d, "", "  ")
	i.Config = append(i.Config, '\n')
	return err
}

// RunsHere refuses an image that was made for other machines.
func (i Image) RunsHere() error {
	if i.Platform == here() || strings.HasPrefix(i.Platform, here()+"/") {
		return nil
	}
	return fairlead.Errorf(fairlead.Invalid, "", "it is made for %s, and this machine is %s", i.Platform, here()).
		WithHint("build it for this machine: docker build --platform %s", here())
}

// here is the platform of this machine's containers.
func here() string { return "linux/" + runtime.GOARCH }

// PinnedIn returns the image's name by digest in a repository, or nothing where the
// engine has it from elsewhere. Under "localhost/" Podman keeps what is of this
// machine.
func (i Image) PinnedIn(repository string) string {
	if strings.HasPrefix(repository, "localhost/") {
		return ""
	}
	for _, pinned := range i.Pinned {
		if strings.HasPrefix(pinned, familiar(repository)+"@") {
			return pinned
		}
	}
	return ""
}

// digestOf reads an engine's id of an image; Podman leaves the algorithm out.
func digestOf(id string) fairlead.Digest {
	if !strings.Contains(id, ":") {
		id = "sha256:" + id
	}
	return fairlead.Digest(id)
}

// familiar writes a repository's name in full: Docker leaves docker.io out.
func familiar(name string) string {
	host, rest, deep := strings.Cut(name, "/")
	switch {
	case !deep:
		return "docker.io/library/" + name
	case strings.ContainsAny(host, ".:") || host == "localhost":
		return host + "/" + rest
	}
	return "docker.io/" + name
}

func sortedKeys[K ~string, V any](m map[K]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, string(k))
	}
	slices.Sort(keys)
	return keys
}

// Gone reports whether an error says that the engine does not answer at all.
func Gone(err error) bool { return client.IsErrConnectionFailed(err) }

// failed puts a call to the engine that failed in words.
func (e *Engine) failed(op string, err error) error {
	if away(err) {
		return fairlead.Errorf(fairlead.Unavailable, op, "the container engine does not answer at %s: %w", e.Host, err).
			WithHint("is it running? See what it says: systemctl status docker; then deploy again")
	}
	return fairlead.Errorf(fairlead.Unavailable, op, "%s: %w", e.Name, err)
}
