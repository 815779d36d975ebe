package server

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
)

func TestAStopEndsStreamsFirstAndCutsNoCallUnderWay(t *testing.T) {
	for _, path := range []string{"/live/fleet", "/v1/events?follow=true", "/v1/sites/triage/production/logs?follow=true"} {
		t.Run(path, func(t *testing.T) { stopWithOpenStream(t, path) })
	}
}

// stopWithOpenStream stops a server that has a stream and a call under way, which ends
// only after the stream has.
func stopWithOpenStream(t *testing.T, path string) {
	calls, endCalls := context.WithCancel(t.Context())
	streams, endStreams := context.WithCancel(calls)
	streamEnded, underWay := make(chan struct{}), make(chan struct{})
	answer := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/apps" {
			close(underWay)
			select {
			case <-streamEnded:
				_, _ = io.WriteString(w, "whole\n")
			case <-r.Context().Done():
			}
			return
		}
		_, _ = io.WriteString(w, "begun\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(streamEnded)
	}
	web := &http.Server{Handler: endingFirst(streams, http.HandlerFunc(answer)), BaseContext: func(net.Listener) context.Context { return calls }}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() { defer close(served); _ = web.Serve(listener) }()
	ask := func(path string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String()+path, nil)
		if err != nil {
			t.Error(err)
			return nil
		}
		if path == "/live/fleet" {
			r.Header.Set("Accept", "text/event-stream")
		}
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return nil
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp
	}
	stream := ask(path)
	if line, err := bufio.NewReader(stream.Body).ReadString('\n'); err != nil || line != "begun\n" {
		t.Fatalf("%q, %v", line, err)
	}
	whole := make(chan string, 1)
	go func() {
		resp := ask("/v1/apps")
		if resp == nil {
			whole <- ""
			return
		}
		body, _ := io.ReadAll(resp.Body)
		whole <- string(body)
	}()
	<-underWay
	if err := shut(web, endStreams, endCalls); err != nil {
		t.Error(err)
	}
	<-served
	if got := <-whole; got != "whole\n" {
		t.Errorf("the call under way was cut: it got %q", got)
	}
}
