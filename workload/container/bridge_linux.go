package container

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// way is how an app is reached at its container's address, by who may not enter its
// network: over the bridge of root's engine and no other. Past it somebody else may
// have the address, or a router answer for all there are.
type way struct {
	to     netip.Addr
	bridge string
	none   error // why there is no way
}

// wayTo finds the way to the address of a container of the engine at host.
func wayTo(host string, address netip.Addr) (w way) {
	w.to = address
	if !address.IsValid() {
		w.none = errors.New("its container has no address")
	} else if w.none = ofRoot(host); w.none == nil {
		w.bridge, w.none = bridgeTo(address)
	}
	return w
}

// dial connects to a port.
func (w way) dial(ctx context.Context, port int) (net.Conn, error) {
	if w.none != nil {
		return nil, w.none
	}
	dialer := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error { return bindTo(raw, w.bridge) }}
	return dialer.DialContext(ctx, "tcp", netip.AddrPortFrom(w.to, uint16(port)).String())
}

// ofRoot refuses an engine that root does not run: the addresses of its containers are
// in a network namespace of its own, and mean others in this one.
func ofRoot(host string) error {
	conn, err := net.Dial("unix", strings.TrimPrefix(host, "unix://"))
	if err != nil {
		return err
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return err
	}
	var peer *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) { peer, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	if peer.Uid != 0 {
		return fmt.Errorf("the containers of a rootless engine, here user %d's, cannot be reached; only root's can", peer.Uid)
	}
	return nil
}

// bridgeTo returns the machine's bridge in whose network an address is.
func bridgeTo(at netip.Addr) (name string, err error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return "", err
	}
	for _, i := range interfaces {
		if _, err := os.Stat(filepath.Join("/sys/class/net", i.Name, "bridge")); err != nil {
			continue // not a bridge
		}
		addresses, err := i.Addrs()
		if err != nil {
			return "", err
		}
		for _, address := range addresses {
			if own, err := netip.ParsePrefix(address.String()); err == nil && own.Contains(at) && own.Addr() != at {
				return i.Name, nil
			}
		}
	}
	return "", fmt.Errorf("no bridge of this machine leads to its container's address %s", at)
}

// bindTo has a socket send over one interface alone. Before Linux 5.7 only root may ask
// for that: the network's own route leads over its bridge there.
func bindTo(raw syscall.RawConn, name string) error {
	var failed error
	err := raw.Control(func(fd uintptr) { failed = unix.BindToDevice(int(fd), name) })
	if errors.Is(failed, fs.ErrPermission) {
		failed = nil
	}
	return errors.Join(err, failed)
}
