//go:build linux

package container_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead/workload/container"
)

// elsewhere is another machine beside this one, in a network namespace: it answers at
// two addresses, of which one is link-local. here is this machine's address beside it.
type elsewhere struct{ outside, linkLocal, here string }

func newElsewhere(t *testing.T) elsewhere {
	t.Helper()
	name := fmt.Sprintf("fl-out-%d", os.Getpid())
	near, far := fmt.Sprintf("flo%d", os.Getpid()), fmt.Sprintf("flx%d", os.Getpid())
	ip := func(words string) {
		t.Helper()
		if said, err := exec.Command("ip", strings.Fields(words)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", words, err, said)
		}
	}
	ip("netns add " + name)
	t.Cleanup(func() { ip("netns del " + name) })
	ip("link add " + near + " type veth peer name " + far + " netns " + name)
	t.Cleanup(func() { ip("link del " + near) }) // a socket may keep the namespace for a while
	ip("addr add 198.51.100.1/30 dev " + near)
	ip("link set " + near + " up")
	ip("-n " + name + " addr add 198.51.100.2/30 dev " + far)
	ip("-n " + name + " addr add 169.254.77.1/32 dev " + far)
	ip("-n " + name + " link set " + far + " up")
	ip("route add 169.254.77.1/32 via 198.51.100.2")
	listener, err := listenIn(filepath.Join("/run/netns", name))
	if err != nil {
		t.Fatal(err)
	}
	there := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the outside") })}}
	there.Start()
	t.Cleanup(there.Close)
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return elsewhere{"http://198.51.100.2:" + port, "http://169.254.77.1:" + port, "198.51.100.1"}
}

// listenIn listens on all addresses of a network namespace.
func listenIn(path string) (listener net.Listener, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread() // the thread goes on: an engine that it started would end with it
		var home, there int
		if home, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
			return
		}
		defer unix.Close(home)
		if there, err = unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
			return
		}
		if err = errors.Join(unix.Setns(there, unix.CLONE_NEWNET), unix.Close(there)); err != nil {
			return
		}
		listener, err = net.Listen("tcp4", "0.0.0.0:0")
		err = errors.Join(err, unix.Setns(home, unix.CLONE_NEWNET))
	}()
	<-done
	return listener, err
}

// thisMachine serves on every address of this machine and returns its URLs.
func thisMachine(t *testing.T, more ...string) (urls []string) {
	t.Helper()
	listener, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the machine") })}}
	server.Start()
	t.Cleanup(server.Close)
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	hosts := slices.Clone(more)
	for _, address := range addresses {
		if ip, _, err := net.ParseCIDR(address.String()); err == nil && ip.To4() != nil {
			hosts = append(hosts, ip.String())
		}
	}
	for _, host := range hosts {
		urls = append(urls, "http://"+net.JoinHostPort(host, port))
	}
	return urls
}

var answer = regexp.MustCompile(`^(?:\x1b\[\d+m)*((?:error: |\d\d\d [A-Z]).*)`) // of the app that asks

// fetching builds an image whose RUN asks for URLs, by the proxy that it is told or past
// it, and returns a line for each, and the whole log.
func (w world) fetching(t *testing.T, e *container.Engine, outlet *container.Outlet, past bool, urls []string) ([]string, string) {
	t.Helper()
	env := ""
	if past {
		env = "ENV HTTP_PROXY= http_proxy=\n"
	}
	// What has not run before is not found in a cache.
	file := fmt.Sprintf("FROM %s\n%sRUN [\"/app\", \"fetch\", \"%s\"]\n", w.image.ID.Hex(), env, strings.Join(append(urls, fmt.Sprintf("http://%d.invalid/", time.Now().UnixNano())), `", "`))
	id, log, err := e.Build(t.Context(), container.Build{Context: bytes.NewReader(packed(t, lay(t, map[string]string{"Dockerfile": file}))), Dockerfile: "Dockerfile", Outlet: outlet, Within: 2 * time.Minute})
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	if err := e.Discard(t.Context(), id); err != nil {
		t.Error(err)
	}
	var lines []string
	for line := range strings.Lines(string(log)) {
		if said := answer.FindStringSubmatch(line); said != nil {
			lines = append(lines, strings.TrimSpace(said[1]))
		}
	}
	if len(lines) != len(urls)+1 {
		t.Fatalf("%d lines for %d URLs:\n%s", len(lines), len(urls)+1, log)
	}
	return lines, string(log)
}

func TestABuildReachesTheOutsideAndNothingOfTheMachine(t *testing.T) {
	eachEngine(t, func(t *testing.T, w world) {
		other := newElsewhere(t)
		machine := append(thisMachine(t, "localhost"), other.linkLocal, "http://169.254.169.254")
		all := append(machine, other.outside)
		root := t.TempDir()
		e := connect(t, w.Engine)
		outlet := &container.Outlet{Root: root, Program: programs("shim"), Image: w.image.ID}

		lines, log := w.fetching(t, e, nil, false, all)
		for n, line := range lines {
			if !strings.HasPrefix(line, "error: ") {
				t.Errorf("without a network it reaches %s: %s\n%s", all[min(n, len(all)-1)], line, log)
			}
		}
		lines, log = w.fetching(t, e, outlet, false, all)
		for n, url := range machine {
			if !strings.Contains(lines[n], "a build reaches only") && !strings.Contains(lines[n], "connection refused") { // loopback is asked past a proxy
				t.Errorf("by its proxy it reaches %s: %s\n%s", url, lines[n], log)
			}
		}
		if lines[len(machine)] != "200 OK the outside" {
			t.Errorf("it does not reach the outside: %s\n%s", lines[len(machine)], log)
		}
		if host := strings.TrimPrefix(other.outside, "http://"); !strings.Contains(log, "The build reached: "+host+"\n") || !strings.Contains(log, "169.254.169.254:80 (the link beside this machine)") {
			t.Errorf("its log does not tell what it reached:\n%s", log)
		}
		lines, log = w.fetching(t, e, outlet, true, all)
		for n, line := range lines {
			if !strings.HasPrefix(line, "error: ") {
				t.Errorf("past its proxy it reaches %s: %s\n%s", all[min(n, len(all)-1)], line, log)
			}
		}
		if left := w.containers(t); len(left) > 0 {
			t.Errorf("containers are left: %v", left)
		}
		if left, err := os.ReadDir(filepath.Join(root, "outlets")); err != nil || len(left) > 0 {
			t.Errorf("files are left: %v, %v", left, err)
		}
	})
}

func TestOrdinaryBuildReachesByItsProxyToo(t *testing.T) {
	image := ordinaryImage(t)
	e, err := container.Open(t.Context(), image.Engine)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	root := t.TempDir()
	file := fmt.Sprintf("FROM %s\nRUN [\"/app\", \"fetch\", \"http://169.254.169.254/%d\"]\n", image.ID.Hex(), time.Now().UnixNano())
	_, log, err := e.Build(t.Context(), container.Build{
		Context: bytes.NewReader(packed(t, lay(t, map[string]string{"Dockerfile": file}))), Dockerfile: "Dockerfile", Within: 2 * time.Minute,
		Outlet: &container.Outlet{Root: root, Program: programs("shim"), Image: image.ID},
	})
	if err != nil || !strings.Contains(string(log), "a build reaches only what is outside") {
		t.Errorf("%v\n%s", err, log)
	}
	if left, err := os.ReadDir(filepath.Join(root, "outlets")); err != nil || len(left) > 0 {
		t.Errorf("files are left: %v, %v", left, err)
	}
}
