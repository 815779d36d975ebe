package gateway

import (
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// Limits of clients' connections. Each may need a second descriptor for its instance.
const (
	crowdMost  = 20_000
	crowdLeast = 128
	spareFiles = 200 // descriptors for everything else
)

// busy is what a connection is told that is one too many.
const busy = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"

// crowd limits how many connections clients have, in all and from one address. One
// address has at most half of them, so that it cannot lock all others out, and a
// load balancer that is one has enough. It is safe for concurrent use.
type crowd struct {
	most int

	mu      sync.Mutex
	all     int
	from    map[netip.Addr]int
	refused uint64
}

func newCrowd(most int) *crowd { return &crowd{most: most, from: map[netip.Addr]int{}} }

// crowdOf returns how many connections this process may have descriptors for.
func crowdOf() int {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return crowdLeast
	}
	return max(crowdLeast, int(min(crowdMost, (files.Cur-min(files.Cur, spareFiles))/2)))
}

// enter counts a connection from an address, and reports whether it is one too many.
func (c *crowd) enter(address netip.Addr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all >= c.most || c.from[address] >= (c.most+1)/2 {
		c.refused++
		return false
	}
	c.all++
	c.from[address]++
	return true
}

func (c *crowd) leave(address netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all--
	if c.from[address]--; c.from[address] == 0 {
		delete(c.from, address)
	}
}

// count returns the connections now, and how many were refused.
func (c *crowd) count() (now int, refused uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all, c.refused
}

// limited is a listener whose connections are counted.
type limited struct {
	net.Listener
	crowd *crowd
}

// Accept returns the next connection that there is room for. Others are told that
// there is none, and closed.
func (l *limited) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		address := addressOf(conn)
		if l.crowd.enter(address) {
			return &counted{Conn: conn, leave: sync.OnceFunc(func() { l.crowd.leave(address) })}, nil
		}
		_ = conn.SetWriteDeadline(time.Now().Add(time.Millisecond)) // it fits in an empty buffer; nobody waits for it
		_, _ = conn.Write([]byte(busy))
		_ = conn.Close()
	}
}

// addressOf returns who a connection comes from: of IPv6 the /64, which one machine
// has all of; the zero address where it has none.
func addressOf(conn net.Conn) netip.Addr {
	tcp, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	address := tcp.AddrPort().Addr().Unmap()
	if address.Is6() {
		if prefix, err := address.WithZone("").Prefix(64); err == nil {
			return prefix.Addr()
		}
	}
	return address
}

// counted is a connection that is counted until it is closed.
type counted struct {
	net.Conn
	leave func()
}

// Close closes the connection.
func (c *counted) Close() error {
	c.leave()
	return c.Conn.Close()
}

// CloseWrite tells the client that nothing more comes.
func (c *counted) CloseWrite() error { return closeWrite(c.Conn) }
