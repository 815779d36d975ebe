package container

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
)

// metadata are the addresses beside the link-local ones at which clouds hand a machine
// its credentials: those of AWS on IPv6, Alibaba, Azure and Oracle.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("100.100.100.200"),
	netip.MustParseAddr("168.63.129.16"), netip.MustParseAddr("192.0.0.192"),
}

// Prefixes of IPv6 in which an IPv4 address is hidden, see RFC 6052 and RFC 3056.
var (
	translated = netip.MustParsePrefix("64:ff9b::/96")
	tunnelled  = netip.MustParsePrefix("2002::/16")
)

// insideOf says what of this machine an address is, or "" for one that is outside of it:
// not the machine's own, nor one of its containers', nor one that only machines beside it
// or its cloud answer at. It asks for the machine's addresses each time, for they change.
func insideOf(at netip.Addr) (string, error) {
	at = at.Unmap().WithZone("")
	if at.Is6() && translated.Contains(at) {
		end := at.As16()
		at = netip.AddrFrom4([4]byte(end[12:]))
	}
	switch {
	case !at.IsValid(), at.IsUnspecified(), at.IsLoopback():
		return "this machine", nil
	case at.IsLinkLocalUnicast(), at.IsMulticast(), at == netip.AddrFrom4([4]byte{255, 255, 255, 255}), at.Is6() && tunnelled.Contains(at):
		return "the link beside this machine", nil
	}
	for _, known := range metadata {
		if at == known {
			return "the cloud's own service for this machine", nil
		}
	}
	interfaces, err := net.Interfaces()
	if err != nil {
		return "", err
	}
	for _, i := range interfaces {
		if is, err := onInterface(i, at); is != "" || err != nil {
			return is, err
		}
	}
	return "", nil
}

// onInterface is insideOf for one of the machine's interfaces.
func onInterface(i net.Interface, at netip.Addr) (string, error) {
	addresses, err := i.Addrs()
	if err != nil {
		return "", err
	}
	for _, address := range addresses {
		own, err := netip.ParsePrefix(address.String())
		if err != nil {
			return "", fmt.Errorf("an address of %s: %w", i.Name, err)
		}
		if own.Addr().WithZone("") == at {
			return "this machine", nil
		}
		if own.Masked().Contains(at) && ofContainers(i.Name) {
			return "a container of this machine", nil
		}
	}
	return "", nil
}

// ofContainers reports whether an interface is a bridge to which nothing but this
// machine's own is connected, as those of engines are.
func ofContainers(name string) bool {
	bridge := filepath.Join("/sys/class/net", name)
	if _, err := os.Stat(filepath.Join(bridge, "bridge")); err != nil {
		return false
	}
	wired, err := filepath.Glob(filepath.Join(bridge, "brif", "*", "port_id")) // of any port
	if err != nil {
		return true
	}
	for _, port := range wired {
		if _, err := os.Stat(filepath.Join("/sys/class/net", filepath.Base(filepath.Dir(port)), "device")); err == nil {
			return false // a network card: a network of other machines
		}
	}
	return true
}

// outsideOnly refuses a connection to what is not outside, when its address is known:
// what a name means is not asked again after.
func outsideOnly(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	is, err := insideOf(to.Addr())
	if err == nil && is != "" {
		err = &insideError{address, is}
	}
	return err
}

// insideError is that an address is not outside of this machine.
type insideError struct{ address, is string }

// Error says which.
func (e *insideError) Error() string { return fmt.Sprintf("%s is %s", e.address, e.is) }
