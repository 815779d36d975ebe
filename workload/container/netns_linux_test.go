package container

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	mobycontainer "github.com/moby/moby/api/types/container"
	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/shim"
)

func TestRoutesToEverywhereAreFoundInTheirTable(t *testing.T) {
	const head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
	const inside = "eth0\t000014AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
	for what, c := range map[string]struct {
		table string
		next  []netip.Addr
	}{
		"a network of its own":         {head + inside, nil},
		"a way out by another address": {head + "eth0\t00000000\t010014AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n" + inside, []netip.Addr{netip.MustParseAddr("172.20.0.1")}},
		"a way straight out":           {head + "tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n", []netip.Addr{{}}},
	} {
		if next := nextToEverywhere(c.table); !slices.Equal(next, c.next) {
			t.Errorf("%s: %v, want %v", what, next, c.next)
		}
	}
}

func TestARunIsNoneWhoseProcessHasEnded(t *testing.T) {
	ended := exec.Command("true")
	if err := ended.Start(); err != nil {
		t.Fatal(err)
	}
	defer ended.Wait() // a zombie until then: it has a number and control groups, but no network
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		p, err := openProcess(ended.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		over := p.ended()
		unix.Close(p.fd)
		if over {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not end")
		}
	}
	found := mobycontainer.InspectResponse{ID: "/", State: &mobycontainer.State{Running: true, Pid: ended.Process.Pid}} // every control group's name has a slash
	if r, err := begin(&Engine{}, found); !errors.Is(err, errNotRunning) {
		t.Errorf("it is %+v, %v", r, err)
	}
}

func TestAnAddressIsDialledOverTheEnginesBridgeOrNotAtAll(t *testing.T) {
	stranger, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	engine, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	at := netip.MustParseAddrPort(stranger.Addr().String())
	conn, err := wayTo("unix://"+engine.Addr().String(), at.Addr()).dial(t.Context(), int(at.Port()))
	if err == nil {
		conn.Close()
		t.Error("a listener that is no container was reached")
	}
	if _, err := (way{to: at.Addr(), bridge: "none"}).dial(t.Context(), int(at.Port())); err == nil {
		t.Error("the bridge is gone, and its address was reached another way")
	}
}

func TestAnEngineOfAnotherUserThanRootIsNotDialledFor(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("another user's socket needs root")
	}
	path := filepath.Join(t.TempDir(), "s")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	// Who listens is who a socket's peer is.
	listened := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: its user is another one now
		err := unix.Bind(fd, &unix.SockaddrUnix{Name: path})
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), 65534, ^uintptr(0)); errno != 0 {
			err = errors.Join(err, errno)
		}
		listened <- errors.Join(err, unix.Listen(fd, 1))
	}()
	if err := <-listened; err != nil {
		t.Fatal(err)
	}
	if w := wayTo("unix://"+path, netip.MustParseAddr("10.89.0.2")); w.none == nil || !strings.Contains(w.none.Error(), "rootless") {
		t.Errorf("%+v", w)
	}
}

func TestAProgramWithLibrariesIsNoFirstProcess(t *testing.T) {
	if RunsInContainers("/bin/sh") == nil {
		t.Skip("this machine's shell needs no libraries")
	}
	root := t.TempDir()
	_, err := Containers{}.Open(t.Context(), shim.Plan{Home: filepath.Join(root, "instances", "one"), Program: "/bin/sh", Instance: &workload.Spec{ID: "one", Port: 8080, Image: &workload.Image{}}})
	var refusal *shim.Refusal
	if !errors.As(err, &refusal) || !strings.Contains(refusal.Reason, "CGO_ENABLED=0") {
		t.Errorf("%v", err)
	}
}
