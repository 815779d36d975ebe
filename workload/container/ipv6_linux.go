package container

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
)

// noIPv6 takes IPv6 off all interfaces of a network namespace but its loopback. An
// engine that does not manage it leaves every interface its own address, by which this
// machine's end of the network is reached past the engine's rules.
func noIPv6(ns *os.File) error {
	return inNetwork(ns, func() error {
		interfaces, err := net.Interfaces()
		for _, i := range interfaces {
			if i.Flags&net.FlagLoopback == 0 {
				err = errors.Join(err, os.WriteFile("/proc/sys/net/ipv6/conf/"+i.Name+"/disable_ipv6", []byte("1"), 0))
			}
		}
		return err
	})
}

// hasIPv6 reports whether an interface of a network namespace but its loopback has an
// IPv6 address; what cannot be read may have one.
func hasIPv6(ns *os.File) (has bool) {
	err := inNetwork(ns, func() error {
		data, err := os.ReadFile("/proc/thread-self/net/if_inet6") // a line each, the interface's name the last word
		for line := range strings.Lines(string(data)) {
			words := strings.Fields(line)
			has = has || len(words) > 0 && words[len(words)-1] != "lo"
		}
		if errors.Is(err, fs.ErrNotExist) { // the kernel has no IPv6
			return nil
		}
		return err
	})
	return has || err != nil
}
