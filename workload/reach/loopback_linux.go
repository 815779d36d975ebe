package reach

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// LoopbackUp sets the loopback interface of this network namespace up.
func LoopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("set lo up: %w", err)
	}
	return nil
}

// Listen listens at the inside address of each rule, in this thread's network
// namespace. The loopback interface is given the addresses that are not its own.
func Listen(rules []Rule) ([]*os.File, error) {
	var files []*os.File
	for _, rule := range rules {
		if !rule.At.IsLoopback() {
			if err := addAddress(rule.At); err != nil {
				return nil, fmt.Errorf("give lo the address %s: %w", rule.At, err)
			}
		}
		listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", netip.AddrPortFrom(rule.At, rule.Port).String())
		if err != nil {
			return nil, fmt.Errorf("listen for %s: %w", rule.Target, err)
		}
		file, err := listener.(*net.TCPListener).File()
		if err := errors.Join(err, listener.Close()); err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// addAddress gives the loopback interface an address (RTM_NEWADDR, see
// rtnetlink(7)). One that it has already is no error.
func addAddress(at netip.Addr) error {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request := newAddress(at, lo.Index)
	if err := unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return err
	}
	if n < unix.SizeofNlMsghdr+4 || binary.NativeEndian.Uint16(answer[4:]) != unix.NLMSG_ERROR {
		return fmt.Errorf("netlink answered %d bytes that are no acknowledgement", n)
	}
	errno := unix.Errno(-int32(binary.NativeEndian.Uint32(answer[unix.SizeofNlMsghdr:])))
	if errno == 0 || errno == unix.EEXIST {
		return nil
	}
	return errno
}

// newAddress is the netlink request that gives an interface one address.
func newAddress(at netip.Addr, index int) []byte {
	family, bits := byte(unix.AF_INET), byte(32)
	if at.Is6() {
		family, bits = unix.AF_INET6, 128
	}
	address := at.AsSlice()
	var body []byte
	body = append(body, family, bits, unix.IFA_F_NODAD&0xff, unix.RT_SCOPE_UNIVERSE)
	body = binary.NativeEndian.AppendUint32(body, uint32(index))
	for _, kind := range []uint16{unix.IFA_LOCAL, unix.IFA_ADDRESS} {
		body = binary.NativeEndian.AppendUint16(body, uint16(unix.SizeofRtAttr+len(address)))
		body = binary.NativeEndian.AppendUint16(body, kind)
		body = append(body, address...)
	}
	var message []byte
	message = binary.NativeEndian.AppendUint32(message, uint32(unix.SizeofNlMsghdr+len(body)))
	message = binary.NativeEndian.AppendUint16(message, unix.RTM_NEWADDR)
	message = binary.NativeEndian.AppendUint16(message, unix.NLM_F_REQUEST|unix.NLM_F_ACK|unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	message = binary.NativeEndian.AppendUint32(message, 1) // sequence
	message = binary.NativeEndian.AppendUint32(message, 0) // port id
	return append(message, body...)
}
