// Package serve is the triage example: an HTTP server that answers support
// tickets over an OpenAI-compatible chat endpoint, and the commands that train
// and evaluate its model.
//
// It reads its files (config/triage.json, prompt/reply.txt, the model) from the
// working directory, once, at start. Everything it cannot do is said at start or
// answered with an error; it keeps nothing on disk.
package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitConfig = 78 // EX_CONFIG of sysexits.h: a person must mend the configuration
)

// configFile is where the server finds its configuration.
const configFile = "config/triage.json"

const usageText = `triage answers support tickets.

  triage         serve on $HOST:$PORT (default 127.0.0.1:8080)
  triage eval    measure the model on held-out tickets; see triage eval -h
  triage train   train the model; see triage train -h
`

// Main runs triage with arguments args (without the program's name) and the
// environment getenv, and returns its exit status: 0 done, 1 failed, 2 usage,
// 78 bad configuration. As a server it returns after SIGTERM or SIGINT, when the
// requests in flight have ended or the drain time of the configuration passed.
func Main(args []string, getenv func(string) string) int {
	if len(args) == 0 {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
		defer stop()
		return runServer(ctx, getenv, os.Stderr)
	}
	switch args[0] {
	case "eval":
		return evaluate(args[1:], os.Stdout, os.Stderr)
	case "train":
		return train(args[1:], os.Stdout, os.Stderr)
	}
	fmt.Fprint(os.Stderr, usageText)
	return exitUsage
}

// runServer serves until ctx ends.
func runServer(ctx context.Context, getenv func(string) string, stderr io.Writer) int {
	release := getenv("FAIRLEAD_RELEASE")
	log := slog.New(slog.NewJSONHandler(stderr, nil)).With("app", "triage", "release", release)
	config, err := loadConfig(configFile)
	if err != nil {
		log.Error("bad configuration", "file", configFile, "error", err)
		return exitConfig
	}
	app, err := newApp(config, release, log)
	if err != nil {
		log.Error("cannot start", "error", err)
		return exitFailed
	}
	listener, err := net.Listen("tcp", address(getenv))
	if err != nil {
		log.Error("cannot listen", "error", err)
		return exitFailed
	}
	log.Info("serving", "address", listener.Addr().String(), "model", config.Model, "prompt", config.Prompt)
	if err := serveUntil(ctx, listener, app.routes(), config.Drain.value); err != nil {
		log.Error("stopped", "error", err)
		return exitFailed
	}
	log.Info("drained")
	return exitOK
}

// address says where to listen: on the loopback address unless $HOST says
// otherwise.
func address(getenv func(string) string) string {
	host, port := getenv("HOST"), getenv("PORT")
	if host == "" {
		host = "127.0.0.1"
	}
	if port == "" {
		port = "8080"
	}
	return net.JoinHostPort(host, port)
}

// serveUntil serves on listener until ctx ends, then takes no new connections
// and returns when the requests in flight have ended, or with an error when that
// takes longer than drain.
func serveUntil(ctx context.Context, listener net.Listener, handler http.Handler, drain time.Duration) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	err := server.Shutdown(limit)
	if err != nil {
		server.Close()
	}
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}
