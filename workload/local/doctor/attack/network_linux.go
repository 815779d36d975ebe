package attack

import (
	"context"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead/internal/unixsock"
	"github.com/fairlead/fairlead/workload"
)

// networkAttacks try what is listening, named or shared on the machine.
func networkAttacks() []Attack {
	network := []string{workload.NetworkNamespace}
	ports := []string{workload.NetworkNamespace, workload.Landlock}
	return []Attack{
		{Name: "connect to a port of the machine", Against: network, Plain: ports, try: func(s *scene) result {
			return each(slices.DeleteFunc([]string{s.TCP, s.TCP6}, func(a string) bool { return a == "" }), func(address string) result { return connect("tcp", address) })
		}},
		{Name: "send to a UDP port of the machine", Against: network, try: askUDP},
		{Name: "find a way to other machines", Against: network, try: func(*scene) result {
			return each([]string{"192.0.2.1:9", "169.254.169.254:80", "[2001:db8::1]:9"}, route)
		}},
		{Name: "find an interface beside lo", Against: network, try: interfaces},
		{Name: "connect to an abstract socket", Against: ports, try: func(s *scene) result { return connect("unix", s.Abstract) }},
		{Name: "attach the machine's shared memory", Against: []string{workload.IPCNamespace}, try: attachShared},
		{Name: "learn the machine's name", Against: []string{workload.UTSNamespace}, try: hostName},
	}
}

func connect(network, address string) result {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	dial := func() (net.Conn, error) { return new(net.Dialer).DialContext(ctx, network, address) }
	if strings.HasPrefix(address, "/") {
		dial = func() (net.Conn, error) { return unixsock.Dial(ctx, address) }
	}
	conn, err := dial()
	if err == nil {
		conn.Close()
	}
	return refused(err, "it connected")
}

func askUDP(s *scene) result {
	conn, err := net.Dial("udp", s.UDP)
	if err != nil {
		return refused(err, "")
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("?")); err != nil {
		return stopped(reason(err))
	}
	conn.SetReadDeadline(time.Now().Add(3 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		return stopped(reason(err))
	}
	return succeeded("it was answered")
}

// route looks whether a packet to an address would leave. Connecting a UDP socket
// sends none.
func route(address string) result {
	conn, err := net.Dial("udp", address)
	if err == nil {
		conn.Close()
	}
	return refused(err, "there is a route")
}

func interfaces(*scene) result {
	all, err := net.Interfaces()
	if err != nil {
		return refused(err, "")
	}
	for _, i := range all {
		// Some kernels give every new network tunnels, which are down and lead nowhere.
		if i.Flags&net.FlagLoopback == 0 && i.Flags&net.FlagUp != 0 {
			return succeeded("there is " + i.Name)
		}
	}
	return stopped("there is none")
}

func attachShared(s *scene) result {
	if s.Memory < 0 {
		return untried("none could be planted")
	}
	data, err := unix.SysvShmAttach(s.Memory, 0, unix.SHM_RDONLY)
	if err == nil {
		unix.SysvShmDetach(data)
	}
	return refused(err, "it was attached")
}

func hostName(s *scene) result {
	name, err := os.Hostname()
	switch {
	case err != nil:
		return untried(reason(err))
	case s.Host == "instance" || s.Host == "job":
		return untried("the machine is called so too")
	case name == s.Host:
		return succeeded("it is " + name)
	}
	return stopped("it is called " + name)
}
