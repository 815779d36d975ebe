// Command testservice is what the tests of package local run as a service: it
// serves HTTP on the listeners that it is given, and ends on SIGTERM once its
// requests have. Its argument is its name, "broken" one that never serves.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"

	"github.com/fairlead/fairlead/workload/shim"
)

func main() {
	name := os.Args[1]
	fmt.Println("service", name)
	if name == "broken" {
		os.Exit(4)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/die" {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		io.WriteString(w, name+" "+os.Getenv("WORD"))
	})}
	var open sync.WaitGroup
	server.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed, http.StateHijacked:
			open.Done()
		}
	}
	var listeners []net.Listener
	var serving sync.WaitGroup
	n, _ := strconv.Atoi(os.Getenv(shim.ListenersEnv))
	for fd := 3; fd < 3+n; fd++ {
		listener, err := net.FileListener(os.NewFile(uintptr(fd), "listener"))
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		listeners = append(listeners, listener)
		serving.Go(func() { server.Serve(listener) })
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if fd, err := strconv.Atoi(os.Getenv(shim.ReadyEnv)); err == nil {
		os.NewFile(uintptr(fd), "ready").Close()
	}
	<-ctx.Done()
	// http.Server.Shutdown would close connections that were accepted and whose
	// request it has not read yet. Instead: accept no more, let each connection end
	// with its next answer, and wait for all.
	for _, listener := range listeners {
		listener.Close()
	}
	serving.Wait()
	server.SetKeepAlivesEnabled(false)
	open.Wait()
}
