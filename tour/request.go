package tour

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// kind is what a request asks for.
type kind uint8

const (
	chat kind = iota
	stream
	list
)

// kindOf maps a draw of 0 to 99: 75 % chat, 15 % chat as a stream, 10 % GET.
func kindOf(draw uint32) kind {
	switch {
	case draw < 75:
		return chat
	case draw < 90:
		return stream
	}
	return list
}

// tickets are what the users write.
var tickets = [...]string{
	"I was charged twice for the invoice of March, please refund one payment.",
	"The export button does nothing since the update, in every browser I tried.",
	"I cannot log in any more, the code never arrives on my phone.",
	"Please cancel our subscription at the end of the month.",
	"The dashboard answers with an error 500 for the whole team, this is urgent.",
	"It would help us to have a dark theme and keyboard shortcuts.",
	"Our card was debited although we are on the free plan.",
	"Uploads of more than ten megabytes stop at half of the way.",
}

// connection is one kept-alive HTTP/1.1 connection. It is written for this one
// job: unlike http.Transport it never sends a request a second time, so that no
// loss is hidden, and it makes little garbage. It belongs to one goroutine.
type connection struct {
	address string
	host    string
	conn    net.Conn
	reader  *bufio.Reader
	out     []byte // the request being built
	tail    []byte // of the body
}

// answer is what came back.
type answer struct {
	status  int
	release int    // that answered; 0 when it was not the application
	id      string // the request's, as the answer names it
	done    bool   // a stream that said it is complete
}

// do sends one request and reads its whole answer.
func (c *connection) do(j job) (answer, error) {
	if c.conn == nil {
		conn, err := dial(c.address)
		if err != nil {
			return answer{}, err
		}
		c.conn, c.reader = conn, bufio.NewReaderSize(conn, 8<<10)
	}
	a, reuse, err := c.exchange(j)
	if err != nil || !reuse {
		c.close()
	}
	return a, err
}

func (c *connection) exchange(j job) (a answer, reuse bool, err error) {
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return a, false, err
	}
	c.build(j)
	if _, err := c.conn.Write(c.out); err != nil {
		return a, false, fmt.Errorf("send: %w", err)
	}
	resp, err := http.ReadResponse(c.reader, requestOf[j.kind])
	if err != nil {
		return a, false, fmt.Errorf("read answer: %w", err)
	}
	defer resp.Body.Close()
	a = answer{status: resp.StatusCode, release: releaseNumber(resp.Header.Get("X-Triage-Release")), id: resp.Header.Get("X-Request-Id")}
	if a.done, err = c.drain(resp.Body); err != nil {
		return a, false, fmt.Errorf("the answer ended early: %w", err)
	}
	return a, !resp.Close, nil
}

// requestOf tells ReadResponse what was asked; it reads nothing but the method.
var requestOf = map[kind]*http.Request{chat: {Method: "POST"}, stream: {Method: "POST"}, list: {Method: "GET"}}

// drain reads a body to its end and reports whether its end completes a stream.
func (c *connection) drain(body io.Reader) (done bool, err error) {
	const last = "data: [DONE]\n\n"
	if c.tail == nil {
		c.tail = make([]byte, 0, 4<<10)
	}
	c.tail = c.tail[:0]
	for {
		if len(c.tail) == cap(c.tail) {
			c.tail = append(c.tail[:0], c.tail[len(c.tail)-len(last):]...)
		}
		n, err := body.Read(c.tail[len(c.tail):cap(c.tail)])
		c.tail = c.tail[:len(c.tail)+n]
		if err == io.EOF {
			return bytes.HasSuffix(c.tail, []byte(last)), nil
		}
		if err != nil {
			return false, err
		}
	}
}

// build writes a request into c.out.
func (c *connection) build(j job) {
	body := ""
	c.out = c.out[:0]
	switch j.kind {
	case list:
		c.out = append(c.out, "GET /v1/models HTTP/1.1\r\nHost: "...)
	default:
		body = bodies[j.kind][j.ticket]
		c.out = append(c.out, "POST /v1/chat/completions HTTP/1.1\r\nHost: "...)
	}
	c.out = append(c.out, c.host...)
	c.out = append(c.out, "\r\nUser-Agent: fairlead-tour\r\nAccept: */*\r\nCookie: fairlead_session=tour"...)
	c.out = strconv.AppendUint(c.out, uint64(j.session), 10)
	c.out = append(c.out, "\r\nX-Request-Id: tour-"...)
	c.out = strconv.AppendUint(c.out, j.seq, 10)
	if body != "" {
		c.out = append(c.out, "\r\nContent-Type: application/json\r\nContent-Length: "...)
		c.out = strconv.AppendInt(c.out, int64(len(body)), 10)
	}
	c.out = append(c.out, "\r\n\r\n"...)
	c.out = append(c.out, body...)
}

// bodies are the requests of each kind, ready to send.
var bodies = map[kind][len(tickets)]string{chat: bodiesOf(""), stream: bodiesOf(`,"stream":true`)}

func bodiesOf(extra string) (all [len(tickets)]string) {
	for i, text := range tickets {
		all[i] = fmt.Sprintf(`{"model":"triage"%s,"messages":[{"role":"user","content":%q}]}`, extra, text)
	}
	return all
}

// releaseNumber reads "7" or "triage@7"; anything else is 0.
func releaseNumber(text string) int {
	if i := strings.LastIndexByte(text, '@'); i >= 0 {
		text = text[i+1:]
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

func (c *connection) close() {
	if c.conn != nil {
		_ = c.conn.Close() // nothing is left to send
		c.conn = nil
	}
}
