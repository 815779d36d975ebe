package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	rate      = 200 // requests/s
	senders   = 16
	loadPulse = 5 * time.Millisecond
	sessions  = 5000
)

// load sends requests to the app on a fixed schedule until it is stopped.
type load struct {
	sent, unanswered atomic.Int64
	stop             func()
}

// startLoad starts the traffic. The caller must stop it.
func (p *plane) startLoad() *load {
	l := &load{}
	due := make(chan struct{}, 1000)
	ctx, cancel := context.WithCancel(context.Background())
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}, Timeout: 10 * time.Second}
	var wg sync.WaitGroup
	wg.Go(func() { l.schedule(ctx, due) })
	for range senders {
		wg.Go(func() {
			for range due {
				l.send(client, p.at.Gateway)
			}
		})
	}
	l.stop = func() {
		cancel()
		wg.Wait()
		client.CloseIdleConnections()
	}
	return l
}

func (l *load) schedule(ctx context.Context, due chan<- struct{}) {
	defer close(due)
	ticker := time.NewTicker(loadPulse)
	defer ticker.Stop()
	began := time.Now()
	for n := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for ; n < int(time.Since(began).Seconds()*rate); n++ {
			select {
			case due <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
	}
}

func (l *load) send(client *http.Client, gateway string) {
	l.sent.Add(1)
	r, err := http.NewRequest(http.MethodPost, "http://"+gateway+"/v1/ask", strings.NewReader(`{"ask":"something"}`))
	if err != nil {
		l.unanswered.Add(1)
		return
	}
	r.Host = appName + ".localhost"
	r.AddCookie(&http.Cookie{Name: "fairlead_session", Value: fmt.Sprint("s", rand.IntN(sessions))})
	answer, err := client.Do(r)
	if err != nil {
		l.unanswered.Add(1)
		return
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.Header.Get("X-Release") == "" {
		l.unanswered.Add(1)
	}
}
