package container

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// inNetwork calls f on a thread that is in the network namespace ns, and returns what
// it returns. Sockets that f makes are that namespace's for ever. f must not start
// goroutines that make sockets.
func inNetwork(ns *os.File, f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err, back := onThread(ns, f)
		if back {
			runtime.UnlockOSThread()
		} // else the thread, which is lost elsewhere, ends with this goroutine
		result <- err
	}()
	return <-result
}

// onThread is inNetwork on this locked thread. back says whether the thread is where
// it was.
func onThread(ns *os.File, f func() error) (err error, back bool) {
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err, true
	}
	defer home.Close()
	if err := enter(ns); err != nil {
		return err, true
	}
	err = f()
	return err, unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil
}

// enter takes this thread to a network namespace. It goes by the file, not its number,
// which may be another file's by now if somebody closes it.
func enter(ns *os.File) error {
	raw, err := ns.SyscallConn()
	if err != nil {
		return err
	}
	var entered error
	err = raw.Control(func(fd uintptr) { entered = unix.Setns(int(fd), unix.CLONE_NEWNET) })
	return errors.Join(err, entered)
}

// dialIn connects to a port of the loopback in the namespace ns: on IPv4, or, for an
// app that listens on that alone, on IPv6.
func dialIn(ctx context.Context, ns *os.File, port int) (conn net.Conn, err error) {
	err = inNetwork(ns, func() error {
		var failed error
		for _, at := range []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()} {
			var err error
			if conn, err = new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(at.String(), strconv.Itoa(port))); err == nil {
				return nil
			}
			failed = errors.Join(failed, err)
			if !errors.Is(err, unix.ECONNREFUSED) {
				break
			}
		}
		return failed
	})
	return conn, err
}

// leadsOutside reports whether a network namespace has an IPv4 route to everywhere that
// this machine takes part in. Docker writes a route into networks that lead nowhere, too:
// to an address that nobody has.
func leadsOutside(ns *os.File) (leads bool) {
	ours := map[netip.Addr]bool{{}: true} // a route without a next address goes straight out
	addresses, err := net.InterfaceAddrs()
	for _, address := range addresses {
		if prefix, err := netip.ParsePrefix(address.String()); err == nil {
			ours[prefix.Addr()] = true
		}
	}
	err = errors.Join(err, inNetwork(ns, func() error {
		data, err := os.ReadFile("/proc/thread-self/net/route")
		leads = slices.ContainsFunc(nextToEverywhere(string(data)), func(next netip.Addr) bool { return ours[next] })
		return err
	}))
	return leads || err != nil // what is not known is not claimed
}

// nextToEverywhere are the next addresses of the routes to everywhere in a table as in
// /proc/net/route: the zero one where there is none.
func nextToEverywhere(table string) (next []netip.Addr) {
	for _, line := range strings.Split(table, "\n") {
		fields := strings.Fields(line)
		if len(fields) < 8 || fields[1] != "00000000" || fields[7] != "00000000" {
			continue
		}
		var at netip.Addr
		if n, err := strconv.ParseUint(fields[2], 16, 32); err == nil && n != 0 {
			at = netip.AddrFrom4([4]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)})
		}
		next = append(next, at)
	}
	return next
}
