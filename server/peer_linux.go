package server

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// samePeer returns the user of the process at the other end of a Unix socket. It
// is an error unless that user is the server's own and the process lives in the
// server's user and pid namespaces: a process in a sandbox arrives with the
// server's uid too, and must not pass for its owner.
func samePeer(conn *net.UnixConn) (uid int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("look at the connection: %w", err)
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) { cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return 0, fmt.Errorf("look at the connection: %w", err)
	}
	if credErr != nil {
		return 0, fmt.Errorf("read the peer's credentials: %w", credErr)
	}
	if int(cred.Uid) != os.Getuid() {
		return 0, fmt.Errorf("the socket serves uid %d, not uid %d", os.Getuid(), cred.Uid)
	}
	for _, namespace := range []string{"user", "pid"} {
		if err := sameNamespace(int(cred.Pid), namespace); err != nil {
			return 0, err
		}
	}
	return int(cred.Uid), nil
}

func sameNamespace(pid int, namespace string) error {
	theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, namespace))
	if err != nil {
		return fmt.Errorf("the peer's %s namespace cannot be seen: %w", namespace, err)
	}
	ours, err := os.Readlink("/proc/self/ns/" + namespace)
	if err != nil {
		return fmt.Errorf("the server's %s namespace cannot be seen: %w", namespace, err)
	}
	if ours != theirs {
		return fmt.Errorf("the peer is in another %s namespace", namespace)
	}
	return nil
}
