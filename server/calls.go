package server

import (
	"net/http"
	"sync"
	"time"
)

// calls are those of the API that are under way. It is safe for concurrent use.
type calls struct{ under sync.WaitGroup }

// callsWithin is how long calls whose context has ended are waited for: what they
// began, such as a build, is to leave nothing behind.
const callsWithin = 10 * time.Second

// counted notes the calls under way.
func (c *calls) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.under.Add(1)
		defer c.under.Done()
		next.ServeHTTP(w, r)
	})
}

// await waits for the calls under way, but not for ever: it reports whether they ended.
func (c *calls) await() bool {
	done := make(chan struct{})
	go func() { // ends with the last call, or with the process
		c.under.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-time.After(callsWithin):
		return false
	}
}
