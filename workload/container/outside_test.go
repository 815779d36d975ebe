package container

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestWhatIsOfThisMachineIsNotOutside(t *testing.T) {
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	inside := []string{
		"127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::", "169.254.169.254", "fe80::1%lo", "224.0.0.1", "255.255.255.255", "ff02::1",
		"::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192",
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range addresses {
		inside = append(inside, netip.MustParsePrefix(address.String()).Addr().String())
	}
	for _, text := range inside {
		if is, err := insideOf(netip.MustParseAddr(text)); is == "" || err != nil {
			t.Errorf("%s of %s is outside: %v", text, name, err)
		}
	}
	for _, text := range []string{"93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822", "203.0.113.7"} {
		if is, err := insideOf(netip.MustParseAddr(text)); is != "" || err != nil {
			t.Errorf("%s is %s, %v", text, is, err)
		}
	}
	if is, err := insideOf(netip.Addr{}); is == "" || err != nil {
		t.Errorf("no address is outside: %v", err)
	}
}

// proxied serves a proxy and returns a connection to it.
func proxied(t *testing.T, p *proxy) (net.Conn, <-chan error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- p.serve(listener) }()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return conn, served
}

func TestAProxyTunnelsUntilBothEndsHaveEndedOrItIsClosed(t *testing.T) {
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go func() {
		for {
			conn, err := echo.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(conn, conn); conn.Close() }()
		}
	}()
	p := newProxy(func(string, string, syscall.RawConn) error { return nil })
	conn, served := proxied(t, p)
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: x\r\n\r\nearly ", echo.Addr())
	from := bufio.NewReader(conn)
	answer, err := http.ReadResponse(from, &http.Request{Method: http.MethodConnect})
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", answer, err)
	}
	io.WriteString(conn, "late")
	conn.(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(from); err != nil || string(got) != "early late" {
		t.Errorf("%q, %v", got, err)
	}
	if told := p.told(); !strings.Contains(told, echo.Addr().String()) {
		t.Errorf("it tells %q", told)
	}

	lost, err := net.Dial("tcp", conn.RemoteAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer lost.Close()
	fmt.Fprintf(lost, "CONNECT nobody.invalid:443 HTTP/1.1\r\nHost: x\r\n\r\n")
	answer, err = http.ReadResponse(bufio.NewReader(lost), &http.Request{Method: http.MethodConnect})
	if err != nil || answer.StatusCode != http.StatusBadGateway {
		t.Fatalf("%v, %v", answer, err)
	}
	if told := p.told(); !strings.Contains(told, "The build could not reach: nobody.invalid:443 (no such host)\n") {
		t.Errorf("it tells %q", told)
	}

	open, err := net.Dial("tcp", conn.RemoteAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	fmt.Fprintf(open, "CONNECT %s HTTP/1.1\r\nHost: x\r\n\r\n", echo.Addr())
	from = bufio.NewReader(open)
	if _, err := http.ReadResponse(from, &http.Request{Method: http.MethodConnect}); err != nil {
		t.Fatal(err)
	}
	p.close()
	if err := open.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(from); err != nil && strings.Contains(err.Error(), "timeout") {
		t.Error("a tunnel outlives its proxy")
	}
	<-served
}

func TestAProxyRefusesWhatIsInsideAndWhatIsNoProxysBusiness(t *testing.T) {
	machine, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer machine.Close()
	_, port, _ := net.SplitHostPort(machine.Addr().String())
	for asked, want := range map[string]int{
		"CONNECT localhost:" + port + " HTTP/1.1\r\nHost: x\r\n\r\n":                         http.StatusForbidden,
		"CONNECT [::ffff:127.0.0.1]:" + port + " HTTP/1.1\r\nHost: x\r\n\r\n":                http.StatusForbidden,
		"GET http://localhost:" + port + "/ HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n":     http.StatusForbidden,
		"GET / HTTP/1.1\r\nHost: localhost:" + port + "\r\n\r\n":                             http.StatusBadRequest,
		"GET ftp://localhost:" + port + "/ HTTP/1.1\r\nHost: localhost:" + port + "\r\n\r\n": http.StatusBadRequest,
		"CONNECT :" + port + " HTTP/1.1\r\nHost: x\r\n\r\n":                                  http.StatusBadRequest,
	} {
		p := newProxy(outsideOnly)
		conn, served := proxied(t, p)
		io.WriteString(conn, asked)
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || answer.StatusCode != want {
			t.Errorf("%q: %v, %v, want %d", asked, answer, err, want)
		}
		p.close()
		<-served
	}
}
