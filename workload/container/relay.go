package container

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"os"
)

// RelayName is the name by which this program is started in the container in whose
// network a build's commands run, see [Relay].
const RelayName = "container-relay"

// insideOutlet is where a build's outlet finds the socket of its proxy.
const insideOutlet = "/.fairlead/outside"

// relayAt is where a build's commands find the proxy.
var relayAt = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 3128)

// Relay carries each connection to its loopback's port 3128 to the socket of the proxy,
// until the first connection that it makes there, by which it says that it is ready,
// ends. It returns an exit status.
func Relay([]string) int {
	listener, err := net.Listen("tcp4", relayAt.String())
	if err == nil {
		var ready net.Conn
		if ready, err = net.Dial("unix", insideOutlet); err == nil {
			go relay(listener) // ends with the process
			_, err = ready.Read(make([]byte, 1))
		}
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", RelayName, err)
	return 1
}

func relay(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			proxy, err := net.Dial("unix", insideOutlet)
			if err != nil {
				return
			}
			defer proxy.Close()
			carryBoth(conn, bufio.NewReader(conn), proxy)
		}()
	}
}
