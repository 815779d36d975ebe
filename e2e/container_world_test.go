package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/workload/container"
	"github.com/fairlead/fairlead/workload/container/enginetest"
)

// inEngines skips a test that starts container engines unless `make containers` runs it.
// Where there is none, the test fails.
func inEngines(t *testing.T) {
	t.Helper()
	if os.Getenv("FAIRLEAD_ENGINES") == "" {
		t.Skip("make containers runs it")
	}
}

// startWith makes a world whose control plane runs and uses an engine.
func startWith(t *testing.T, e *enginetest.Engine) *world {
	t.Helper()
	w := newWorld(t)
	w.engine = e
	w.up()
	return w
}

// The ways in which an App file names an image.
const (
	byName       = "name"
	byDockerfile = "Dockerfile"
	byArchive    = "archive"
)

// imaged makes a release of the fixture app into an image, and returns the App file that
// releases it.
func (w *world) imaged(b behaviour, f appFile, by string) appFile {
	w.Helper()
	w.lay(b, f) // which makes the directory
	name := fmt.Sprintf("localhost/%s:%s", w.named, strings.ToLower(b.Version))
	write(w, filepath.Join(w.dir, b.Version, "Dockerfile"),
		"FROM scratch\nCOPY app config.json /app/\nWORKDIR /app\nENV HOST=0.0.0.0\nEXPOSE 8080\nENTRYPOINT [\"./app\"]\n")
	f.image = true
	switch by {
	case byDockerfile:
		f.artifact = "{dockerfile: ./" + b.Version + "/Dockerfile}"
		return f
	case byArchive:
		f.artifact = "{archive: ./" + b.Version + ".tar}"
	default:
		f.artifact = "{image: " + name + "}"
	}
	w.engine.Build(w, name, filepath.Join(w.dir, b.Version))
	if by == byArchive {
		w.engine.Save(w, name, filepath.Join(w.dir, b.Version+".tar"))
		w.engine.Ask(w, "DELETE", "/images/"+name, nil, nil)
	}
	return f
}

// ship deploys a release as an image and waits for the exit status that says how it ends.
func (w *world) ship(code int, b behaviour, f appFile) {
	w.Helper()
	w.deploy(code, b, w.imaged(b, f, byName))
}

// boxed is a container as its engine describes it.
type boxed struct {
	ID     string `json:"Id"`
	Name   string
	Config struct {
		Labels map[string]string
		Env    []string
		User   string
	}
	State struct {
		Pid     int
		Running bool
	}
	HostConfig      json.RawMessage
	NetworkSettings struct {
		Networks map[string]struct{ IPAddress, Gateway string }
	}
}

// address is where the container is in its network.
func (b boxed) address() string {
	for _, n := range b.NetworkSettings.Networks {
		return n.IPAddress
	}
	return ""
}

// boxes are the world's containers, those that have ended too.
func (w *world) boxes() []boxed {
	w.Helper()
	var all []struct{ ID string }
	w.engine.Ask(w, "GET", "/containers/json?all=true&filters="+w.labelled(), nil, &all)
	var boxes []boxed
	for _, c := range all {
		var b boxed
		if err := w.engine.Try("GET", "/containers/"+c.ID+"/json", nil, &b); err == nil { // it may be gone
			boxes = append(boxes, b)
		}
	}
	return boxes
}

// box is the container of an instance.
func (w *world) box(instance string) boxed {
	w.Helper()
	boxes := w.boxes()
	at := slices.IndexFunc(boxes, func(b boxed) bool { return b.Config.Labels[container.LabelInstance] == instance })
	if at < 0 {
		w.Fatalf("%s has no container among %+v", instance, boxes)
	}
	return boxes[at]
}

// labelled is the engine's filter for what belongs to the world's installation.
func (w *world) labelled() string {
	owner, err := os.ReadFile(w.seen(filepath.Join(w.state, "run", "owner")))
	if err != nil {
		owner = []byte("nobody yet")
	}
	text, _ := json.Marshal(map[string][]string{"label": {container.LabelOwner + "=" + strings.TrimSpace(string(owner))}}) // of strings
	return url.QueryEscape(string(text))
}

// inEngine lists what the world has in its engine: containers, networks and volumes.
func (w *world) inEngine() []string {
	w.Helper()
	var found []string
	for _, b := range w.boxes() {
		found = append(found, "container "+b.Name)
	}
	var networks []struct{ Name string }
	w.engine.Ask(w, "GET", "/networks?filters="+w.labelled(), nil, &networks)
	for _, n := range networks {
		found = append(found, "network "+n.Name)
	}
	var volumes struct{ Volumes []struct{ Name string } }
	w.engine.Ask(w, "GET", "/volumes?filters="+w.labelled(), nil, &volumes)
	for _, v := range volumes.Volumes {
		found = append(found, "volume "+v.Name)
	}
	return found
}

// stranger is what somebody else has in an engine.
type stranger struct {
	e     *enginetest.Engine
	named string // what all of it is called
	id    string // of a running container
	found []string
}

// newStranger makes a container, a network and a volume that are not Fairlead's, though they
// have names and labels that look like it.
func newStranger(t *testing.T, e *enginetest.Engine) *stranger {
	t.Helper()
	w := newWorld(t)
	s := &stranger{e: e, named: "fairlead-" + w.named}
	w.engine = e
	w.imaged(behaviour{Version: "strange"}, appFile{}, byName)
	image := "localhost/" + w.named + ":strange"
	labels := map[string]string{container.LabelOwner: "somebody-else", container.LabelApp: "theirs"}
	var made struct{ ID string }
	e.Ask(t, "POST", "/networks/create", map[string]any{"Name": s.named, "Internal": true, "Labels": labels}, nil)
	e.Ask(t, "POST", "/volumes/create", map[string]any{"Name": s.named, "Labels": labels}, nil)
	e.Ask(t, "POST", "/containers/create?name="+s.named, map[string]any{
		"Image": image, "Labels": labels, "Env": []string{"PORT=8080"},
		"HostConfig": map[string]any{"NetworkMode": s.named, "Ulimits": ulimits, "Binds": []string{s.named + ":/data"}},
	}, &made)
	e.Ask(t, "POST", "/containers/"+made.ID+"/start", nil, nil)
	s.id = made.ID
	if s.found = s.look(t); len(s.found) < 4 {
		t.Fatalf("a stranger has only %q", s.found)
	}
	return s
}

// ulimits are fewer than Podman likes best, which may be more than is allowed here.
var ulimits = []map[string]any{{"Name": "nofile", "Soft": 256, "Hard": 256}, {"Name": "nproc", "Soft": 1024, "Hard": 1024}}

// look lists what the stranger has.
func (s *stranger) look(t *testing.T) []string {
	t.Helper()
	var found []string
	var b boxed
	s.e.Ask(t, "GET", "/containers/"+s.id+"/json", nil, &b)
	found = append(found, fmt.Sprintf("container %s pid %d address %s", b.Name, b.State.Pid, b.address()))
	var n struct {
		ID     string `json:"Id"`
		Labels map[string]string
	}
	s.e.Ask(t, "GET", "/networks/"+s.named, nil, &n)
	found = append(found, fmt.Sprint("network ", n))
	var v struct {
		CreatedAt string
		Labels    map[string]string
	}
	s.e.Ask(t, "GET", "/volumes/"+s.named, nil, &v)
	found = append(found, fmt.Sprint("volume ", v))
	if b.State.Running {
		found = append(found, "it runs")
	}
	return found
}

// untouched says that nothing of the stranger's was changed.
func (s *stranger) untouched(t *testing.T) {
	t.Helper()
	if now := s.look(t); !slices.Equal(now, s.found) {
		t.Errorf("a stranger had %q and has %q now", s.found, now)
	}
	s.e.Ask(t, "DELETE", "/containers/"+s.id+"?force=true", nil, nil)
	s.e.Ask(t, "DELETE", "/networks/"+s.named, nil, nil) // Podman keeps networks outside of the engine's directory
}
