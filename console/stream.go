package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// sendTimeout is the longest that a follower may take for one event: a browser that is
// gone without a word does not keep its stream.
const sendTimeout = 10 * time.Second

// Why a stream ends, for the page to say it.
const (
	endSession = "session" // its person is not logged in any more
	endServer  = "server"  // the control plane ends
	endFull    = "full"    // too many pages are followed
)

// greeting is the first event of a stream.
type greeting struct {
	Build string    `json:"build"`
	Term  uint64    `json:"term,omitempty"`
	Now   time.Time `json:"now"`
	clock func() time.Time
}

// stream is one follower's connection. It is of one goroutine.
type stream struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
	sent     map[string]uint64 // the number of each part that the follower has
	problem  string            // that the follower knows of
}

// wantsStream reports whether a request comes from an EventSource, which cannot read the
// status of an answer: it is told in the stream what is wrong.
func wantsStream(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/event-stream")
}

func newStream(w http.ResponseWriter) *stream {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Connection", "close") // its deadlines are not for another request
	return &stream{w: w, control: http.NewResponseController(w), patience: sendTimeout, sent: map[string]uint64{}}
}

func (s *stream) greet(first greeting) error {
	first.Now = first.clock()
	return s.say("hello", first)
}

// alive tells the server's time, by which the page shows spans.
func (s *stream) alive(now time.Time) error {
	return s.say("alive", map[string]time.Time{"now": now})
}

// end says why the stream ends. The follower may be gone already.
func (s *stream) end(why string) {
	_ = s.say("end", map[string]string{"why": why})
}

// send writes the parts that the follower does not have as they are now.
func (s *stream) send(now *shot) error {
	var fields [][]byte
	for _, p := range now.pieces {
		if s.sent[p.id] != p.number {
			s.sent[p.id] = p.number
			fields = append(fields, p.field)
		}
	}
	if len(fields) > 0 {
		if err := s.event("parts", fields...); err != nil {
			return err
		}
	}
	if now.problem == s.problem {
		return nil
	}
	s.problem = now.problem
	return s.say("problem", map[string]string{"text": now.problem})
}

func (s *stream) say(name string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	return s.event(name, text[1:len(text)-1])
}

// event writes an event whose data is a JSON object of fields, and sends it.
func (s *stream) event(name string, fields ...[]byte) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(s.patience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := fmt.Fprintf(s.w, "event: %s\ndata: {", name); err != nil {
		return err
	}
	for i, f := range fields {
		comma := ","
		if i == 0 {
			comma = ""
		}
		if _, err := fmt.Fprintf(s.w, "%s%s", comma, f); err != nil {
			return err
		}
	}
	if _, err := s.w.Write([]byte("}\n\n")); err != nil {
		return err
	}
	return s.control.Flush()
}
