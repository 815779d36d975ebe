package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/workload"
)

// attempt is what came of something that an instance tried, see e2e/app.
type attempt struct {
	OK    bool
	Error string
	Text  string
	Names []string
}

// try lets the instance behind a host try something.
func (w *world) try(host, do, at string) attempt {
	w.Helper()
	status, _, body := w.get(host, "/try?do="+do+"&at="+url.QueryEscape(at))
	var a attempt
	if err := json.Unmarshal([]byte(body), &a); status != 200 || err != nil {
		w.Fatalf("try %s %s: %d %q", do, at, status, body)
	}
	return a
}

// files are all regular files of a world.
func (w *world) files() iter.Seq[string] {
	return func(yield func(string) bool) {
		_ = filepath.WalkDir(w.dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && !yield(path) {
				return filepath.SkipAll
			}
			return nil
		})
	}
}

func TestASecretIsReadableByItsInstanceAloneAndMovesWithTheRelease(t *testing.T) {
	t.Parallel()
	w := start(t)
	const first, second = "corn-flower-blue-1", "corn-flower-blue-2"
	file := appFile{lines: "  secrets: [{name: token}]\n"}
	w.says(w.refused(1, "deploy", "-f", w.lay(behaviour{Version: "v1"}, file)), "fairlead secret set token --env production")
	if r := w.feed(first+"\n", "secret", "set", "token", "--env", "production"); r.code != 0 {
		t.Fatal(r)
	}
	holds := func(value, release string) {
		t.Helper()
		_, header, _ := w.get(w.host(), "/")
		if a := w.try(w.host(), "secret", "token"); a.Text != value || header.Get("X-Release") != release {
			t.Errorf("release %s, want %s, has the secret %+v, want %s", header.Get("X-Release"), release, a, value)
		}
	}
	l := w.startLoad(w.host())
	w.Cleanup(l.end)
	one := w.deploy(0, behaviour{Version: "v1"}, file).Release.Number
	holds(first, fmt.Sprint(one))
	if r := w.feed(second, "secret", "rotate", "token", "--env", "production"); r.code != 0 {
		t.Fatal(r)
	}
	app, _ := w.instance(w.site().Instances[0].ID)
	w.kill(app) // the same release has the same version after a restart
	eventually(t, 10*time.Second, "an answer from the restarted app", func() bool { s, _, _ := w.get(w.host(), "/"); return s == 200 && !app.alive() })
	holds(first, fmt.Sprint(one))
	quick := file
	quick.environments = "    - {name: production, strategy: " + strings.Replace(fast, "10m", "100ms", 1) + "}\n"
	two := w.deploy(0, behaviour{Version: "v1"}, quick)
	if two.Release.Number == one {
		t.Error("a rotated secret made no new release")
	}
	eventually(t, 10*time.Second, "all traffic on the new release", func() bool {
		r := w.rollout()
		_, header, _ := w.get(w.host(), "/")
		return r.Phase == "ended" && !r.Shifting && header.Get("X-Release") == fmt.Sprint(two.Release.Number)
	})
	holds(second, fmt.Sprint(two.Release.Number))
	w.must("rollback", w.named, "--wait")
	eventually(t, 10*time.Second, "all traffic on the old release", func() bool {
		_, header, _ := w.get(w.host(), "/")
		return header.Get("X-Release") == fmt.Sprint(one)
	})
	holds(first, fmt.Sprint(one))
	for _, name := range w.try(w.host(), "env", "").Names {
		if strings.Contains(name, "flower") {
			t.Errorf("the environment has %s", name)
		}
	}
	w.nowhere(first)
	w.nowhere(second)
}

// nowhere says that a value is in no file, argument, environment, log or answer.
func (w *world) nowhere(value string) {
	w.Helper()
	for file := range w.files() {
		if data, err := os.ReadFile(file); err == nil && carries(data, value) {
			w.Errorf("%s holds a secret", file)
		}
	}
	w.untold(value)
}

// carries reports whether data has a value in it, as it is or in base64.
func carries(data []byte, value string) bool {
	return bytes.Contains(data, []byte(value)) || bytes.Contains(data, []byte(base64.StdEncoding.EncodeToString([]byte(value))))
}

// untold says that a value is in no argument, environment, log or answer.
func (w *world) untold(value string) {
	w.Helper()
	for _, p := range w.mine() {
		for _, part := range []string{"cmdline", "environ"} {
			if data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.pid, part)); err == nil && carries(data, value) {
				w.Errorf("%s of %s holds a secret", part, p)
			}
		}
	}
	for _, command := range []string{"events --from 0", "status " + w.named, "releases " + w.named, "logs " + w.named, "secret list --env production", "explain " + w.named} {
		if carries([]byte(w.must(append(strings.Fields(command), "--output", "json")...)), value) {
			w.Errorf("fairlead %s tells a secret", command)
		}
	}
	if carries([]byte(w.plane.log.String()), value) {
		w.Error("the control plane's log tells a secret")
	}
}

func TestAnInstanceReachesNothingButWhatItsFileLists(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.walls(t)
}

// walls deploys to two environments and tries every way out of one.
func (w *world) walls(t *testing.T) {
	t.Helper()
	listed, other := listen(t), listen(t)
	file := appFile{environments: "    - {name: dev}\n    - {name: production}\n", lines: "  network: {reach: [\"" + listed + "\"]}\n  secrets: [{name: token}]\n"}
	for _, env := range []string{"dev", "production"} {
		if r := w.feed("of "+env, "secret", "set", "token", "--env", env); r.code != 0 {
			t.Fatal(r)
		}
	}
	w.deploy(0, behaviour{Version: "v1"}, file)
	w.must("promote", w.named+"@1", "--to", "production", "--wait")
	dev := "dev." + w.host()
	if a := w.try(dev, "secret", "token"); a.Text != "of dev" {
		t.Errorf("the secret of dev is %+v", a)
	}
	production := w.site("production").Instances[0]
	home := filepath.Join(w.state, "run", "instances", production.ID)
	app, shim := w.instance(production.ID)
	tries := [][2]string{
		{"tcp", w.plane.at.API}, {"tcp", w.plane.at.Gateway}, {"tcp", other}, {"tcp", "127.0.0.1:22"}, {"tcp", "192.0.2.1:80"},
		{"unix", filepath.Join(w.state, "control.sock")}, {"unix", filepath.Join(w.state, "gateway", "control.sock")},
		{"unix", filepath.Join(home, "shim.sock")}, {"unix", filepath.Join(home, "dial.sock")}, {"unix", production.Address},
		{"read", filepath.Join(w.state, "admin.token")}, {"read", filepath.Join(w.state, "vault.key")}, {"read", "/etc/shadow"},
		{"read", filepath.Join(w.dir, "v1.yaml")}, {"list", w.state}, {"list", "/root"}, {"list", "/home"}, {"list", "/sys/kernel"},
		{"list", fmt.Sprintf("/proc/%d/root", shim.pid)}, {"read", fmt.Sprintf("/proc/%d/environ", app.pid)}, {"list", "/proc/1/root/etc"},
		{"write", "/app/x"}, {"write", "/usr/x"}, {"write", "/etc/passwd"}, {"write", "/run/secrets/x"}, {"write", "/x"},
	}
	for _, one := range tries {
		if a := w.try(dev, one[0], one[1]); a.OK {
			t.Errorf("an instance may %s %s: %.200v", one[0], one[1], a)
		}
	}
	for _, one := range [][2]string{{"tcp", listed}, {"write", "/tmp/x"}, {"read", "/app/config.json"}} {
		if a := w.try(dev, one[0], one[1]); !a.OK {
			t.Errorf("an instance may not %s %s: %s", one[0], one[1], a.Error)
		}
	}
	pids := 0
	for _, name := range w.try(dev, "list", "/proc").Names {
		if strings.Trim(name, "0123456789") == "" {
			pids++
		}
	}
	if pids == 0 || pids > 3 {
		t.Errorf("an instance sees %d processes", pids)
	}
	for _, p := range production.Protections {
		if !p.Enforced {
			t.Logf("not enforced here: %s (%s)", p.Name, p.Detail)
		}
	}
}

// listen makes a listener on the host's loopback.
func listen(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	return l.Addr().String()
}

func TestNobodyCallsTheAPIWithoutBeingKnown(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.deploy(0, behaviour{Version: "v1"}, appFile{})
	token, err := os.ReadFile(filepath.Join(w.state, "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"": 0o700, "admin.token": 0o600, "control.sock": 0o600} {
		if info, err := os.Stat(filepath.Join(w.state, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%q has mode %v, want %v", name, info.Mode(), mode)
		}
	}
	bearer := "Bearer " + strings.TrimSpace(string(token))
	id := w.rollout().ID
	paths := []string{
		"GET /v1/version", "GET /v1/apps", "GET /v1/apps/" + w.named, "GET /v1/apps/" + w.named + "/releases", "GET /v1/events?from=0",
		"GET /v1/rollouts/" + id, "GET /v1/sites/" + w.named + "/production/explain",
		"GET /v1/sites/" + w.named + "/production/logs", "GET /v1/secrets/production", "GET /openapi.json", "GET /",
		"POST /v1/deploy", "POST /v1/promote", "POST /v1/sites/" + w.named + "/production/abort", "POST /v1/shutdown?all=true",
		"PUT /v1/secrets/production/x", "DELETE /v1/secrets/production/x", "PUT /v1/blobs/sha256:00", "POST /v1/blobs/missing",
	}
	for _, path := range paths {
		for _, authorization := range []string{"", "Bearer ", "Bearer fl_0", bearer + "0", "Basic YWRtaW46YWRtaW4="} {
			if status := w.call(path, "Authorization", authorization); status != 401 {
				t.Errorf("%s with %q answers %d", path, authorization, status)
			}
		}
	}
	for _, one := range []struct {
		path   string
		header []string
		status int
	}{
		{"GET /healthz", nil, 200},
		{"GET /v1/version", []string{"Authorization", bearer}, 200},
		{"GET /v1/version", []string{"Authorization", bearer, "Host", "evil.example"}, 403},
		{"GET /healthz", []string{"Host", "evil.example"}, 403},
		{"GET /v1/version", []string{"Authorization", bearer, "Origin", "http://evil.example"}, 403},
		{"POST /v1/shutdown", []string{"Authorization", bearer, "Origin", "null"}, 403},
		{"GET /v1/version", []string{"Authorization", bearer, "Origin", "http://" + w.plane.at.API}, 200},
	} {
		if status := w.call(one.path, one.header...); status != one.status {
			t.Errorf("%s with %q answers %d, want %d", one.path, one.header, status, one.status)
		}
	}
	if got := w.callSocket(0); got != "200" {
		t.Errorf("the user's own process at the socket gets %q", got)
	}
	if got := w.callSocket(syscall.CLONE_NEWUSER | syscall.CLONE_NEWPID); got != "401" {
		t.Errorf("a process in namespaces of its own gets %q", got)
	}
	if got := w.callSocket(syscall.CLONE_NEWUSER); got != "401" {
		t.Errorf("a process in a user namespace of its own gets %q", got)
	}
	w.must("version") // it still is there
}

// call sends a request to the API's TCP address and returns the status.
func (w *world) call(path string, headers ...string) int {
	w.Helper()
	method, path, _ := strings.Cut(path, " ")
	r, err := http.NewRequest(method, "http://"+w.plane.at.API+path, nil)
	if err != nil {
		w.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		} else if headers[i+1] != "" {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer a.Body.Close()
	_, _ = io.Copy(io.Discard, a.Body)
	return a.StatusCode
}

// callSocket asks for the apps over the Unix socket, from a process in new
// namespaces.
func (w *world) callSocket(namespaces uintptr) string {
	w.Helper()
	cmd := exec.Command(built.app, "get", filepath.Join(w.state, "control.sock"), "http://fairlead/v1/apps")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces}
	if namespaces&syscall.CLONE_NEWUSER != 0 {
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.Errorf("get: %v %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestAnOrdinaryUserHasTheSame(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("all tests run as an ordinary user already")
	}
	w := newWorld(t)
	w.as = &syscall.Credential{Uid: 65534, Gid: 65534, Groups: []uint32{}}
	if err := os.Chown(w.dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	w.up()
	w.walls(t)
	app, _ := w.instance(w.site("production").Instances[0].ID)
	w.kill(app)
	eventually(t, 10*time.Second, "the app again", func() bool { s, _, _ := w.get(w.host(), "/"); return s == 200 && !app.alive() })
	w.plane.kill()
	if s, _, _ := w.get(w.host(), "/"); s != 200 {
		t.Errorf("%d without a control plane", s)
	}
	w.up()
	w.proven()
	for _, i := range w.site("production").Instances {
		if i.State != workload.Ready || i.Restarts != 1 {
			t.Errorf("%+v", i)
		}
	}
}
