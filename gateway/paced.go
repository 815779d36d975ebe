package gateway

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/fairlead/fairlead/internal/consolecookie"
)

// A client that stops reading, or sending what it announced, would hold its place at
// an instance for as long as it likes. Each piece of an answer must therefore be
// taken within stallMost; between pieces nothing limits how long a stream lasts.
const stallMost = time.Minute

// paced is the answer to a client that must go on reading. It belongs to one request.
type paced struct {
	http.ResponseWriter
	control *http.ResponseController
	stall   time.Duration
	body    *upload // of the request, once it is being read; or nil
}

// newPaced paces w. Deadlines of an earlier request of its connection are lifted.
func newPaced(w http.ResponseWriter, stall time.Duration) *paced {
	p := &paced{ResponseWriter: w, control: http.NewResponseController(w), stall: stall}
	p.lift()
	return p
}

// Unwrap returns the writer beneath, for http.ResponseController.
func (p *paced) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// WriteHeader writes a head of the answer. Those before the final one are as the
// instance wrote them, and no place for reports.
func (p *paced) WriteHeader(status int) {
	if status < http.StatusOK && status != http.StatusSwitchingProtocols {
		withoutReports(p.Header())
		consolecookie.StripSet(p.Header())
	}
	p.ResponseWriter.WriteHeader(status)
}

// Write writes a piece of the answer.
func (p *paced) Write(b []byte) (int, error) {
	p.limit()
	defer p.rest()
	return p.ResponseWriter.Write(b)
}

// FlushError sends what was written.
func (p *paced) FlushError() error {
	p.limit()
	defer p.rest()
	return p.control.Flush()
}

// end limits what net/http sends by itself after the answer: the rest of its buffer.
func (p *paced) end() { p.limit() }

// rest lifts the limits between two pieces.
func (p *paced) rest() {
	p.lift()
	if p.body != nil {
		p.body.rest()
	}
}

// Errors of deadlines are those of connections that are gone, which the write tells.

func (p *paced) limit() { _ = p.control.SetWriteDeadline(time.Now().Add(p.stall)) }
func (p *paced) lift()  { _ = p.control.SetWriteDeadline(time.Time{}) }

// Hijack gives the connection away, paced too.
func (p *paced) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := p.control.Hijack()
	if err != nil {
		return nil, nil, err
	}
	return &pacedConn{conn, p.stall}, buffered, nil
}

// pacedConn is the connection of an upgraded request whose client must go on reading.
type pacedConn struct {
	net.Conn
	stall time.Duration
}

// Write writes within the limit.
func (c *pacedConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.stall)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// CloseWrite tells the client that nothing more comes.
func (c *pacedConn) CloseWrite() error { return closeWrite(c.Conn) }

// closeWrite closes the half of a connection that is written to, where it has halves.
func closeWrite(conn any) error {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
