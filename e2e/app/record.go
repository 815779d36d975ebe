package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
)

// recorder tells the test which requests this instance took: a line each with the
// method, the id and the instance, which the test confirms with a byte. So what is
// answered is recorded, even if the instance and its shim are killed in the next moment.
type recorder struct {
	mu   sync.Mutex
	conn net.Conn
}

// openRecorder connects to the test; address "" is a recorder that records nothing.
func openRecorder(address string) (*recorder, error) {
	if address == "" {
		return &recorder{}, nil
	}
	conn, err := net.Dial("tcp", address)
	return &recorder{conn: conn}, err
}

// record notes r before it is answered. What cannot be recorded is not answered: the way
// to the test leads through the shim, which may be dead while the instance is not yet.
func (c *recorder) record(r *http.Request) {
	id := r.Header.Get("X-Request-Id")
	if c.conn == nil || id == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := fmt.Fprintf(c.conn, "%s %s %s\n", r.Method, id, os.Getenv("FAIRLEAD_INSTANCE"))
	if err == nil {
		_, err = c.conn.Read(make([]byte, 1))
	}
	if err != nil {
		fmt.Println("record:", err)
		panic(http.ErrAbortHandler)
	}
}
