package e2e

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const anyImage = "{image: registry.example/x@sha256:0000000000000000000000000000000000000000000000000000000000000000}"

func TestWithoutAnEngineImagesAreRefusedWithHowToGetOneAndAllElseWorks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up("--engine", "unix://"+filepath.Join(w.dir, "nothing.sock"))
	file := w.lay(behaviour{Version: "boxed"}, appFile{artifact: anyImage, image: true})
	w.says(w.refused(1, "deploy", "-f", file), "unavailable", "nothing listens at", "apt-get install docker.io", "podman system service")
	w.exits(1, "releases", w.named) // a refused deploy makes none
	w.deploy(0, behaviour{Version: "v1"}, appFile{})
	ended, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(w.dir, "nothing.sock")})
	if err != nil {
		t.Fatal(err)
	}
	ended.SetUnlinkOnClose(false)
	ended.Close()
	w.says(w.refused(1, "deploy", "-f", file), "unavailable", "nothing listens at", "any more", "start the engine")
	w.proven()
}

func TestAnEngineThatIsTooOldIsRefusedWithWhatIsOldEnough(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	socket := filepath.Join(w.dir, "old.sock")
	answer := func(a http.ResponseWriter, r *http.Request) {
		a.Header().Set("Api-Version", "1.24")
		if strings.HasSuffix(r.URL.Path, "/version") {
			a.Header().Set("Content-Type", "application/json")
			_, _ = a.Write([]byte(`{"Version":"1.12.6","ApiVersion":"1.24","MinAPIVersion":"1.12","Os":"linux","Arch":"amd64"}`)) // as Docker did in 2017
			return
		}
		_, _ = a.Write([]byte("OK"))
	}
	serveAt(t, socket, http.HandlerFunc(answer))
	w.up("--engine", "unix://"+socket)
	file := w.lay(behaviour{Version: "boxed"}, appFile{artifact: anyImage, image: true})
	w.says(w.refused(1, "deploy", "-f", file), "unsupported", "too old", "1.24", "Docker 19.03")
	w.deploy(0, behaviour{Version: "v1"}, appFile{})
}

func TestAnEngineWhoseSocketIsForbiddenIsRefusedWithWhoMayUseIt(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can be another user")
	}
	w := newWorld(t)
	socket := filepath.Join(w.dir, "root.sock")
	serveAt(t, socket, http.NotFoundHandler())
	if err := os.Chmod(socket, 0o600); err != nil {
		t.Fatal(err)
	}
	w.as = &syscall.Credential{Uid: 65534, Gid: 65534, Groups: []uint32{}}
	if err := os.Chown(w.dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	w.up("--engine", "unix://"+socket)
	file := w.lay(behaviour{Version: "boxed"}, appFile{artifact: anyImage, image: true})
	w.says(w.refused(5, "deploy", "-f", file), "forbidden", "may not use "+"unix://"+socket, "group")
}

// serveAt serves HTTP at a socket until the test ends.
func serveAt(t *testing.T, socket string, handler http.Handler) {
	t.Helper()
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // it ends by Close
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
}
