// Package tour is the demonstration: it starts Fairlead in a temporary state
// directory as a child process of the same binary, deploys the triage example,
// sends it steady HTTP traffic through the gateway, and releases versions of it
// of which most are bad. It counts what each release did to the users and what
// Fairlead itself lost, and ends with the ledger verified and replayed.
//
// It uses Fairlead as anyone would: through its commands and its API. It needs
// about 100 seconds. On a terminal the console then stays until its user quits. It
// ends everything that it started, also when interrupted.
package tour

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/cli/progress"
	"github.com/fairlead/fairlead/examples/triage/release"
)

const (
	rate       = 500                    // requests a second
	sessions   = 4000                   // users
	settle     = 4 * time.Second        // of ordinary traffic before the first release is tried
	limit      = 170 * time.Second      // for the whole tour, after which it fails
	packing    = 60 * time.Second       // more, where each release is packed into an image and loaded
	tick       = 200 * time.Millisecond // between looks at the rollout
	drainTime  = 10 * time.Second       // for the last answers
	startTime  = 30 * time.Second       // for the server to answer
	endingTime = 30 * time.Second       // for everything to end
	lineEvery  = 2 * time.Second        // of progress in a pipe
)

// Options is how a tour runs.
type Options struct {
	Program string // the fairlead binary, absolute; it must also be the example application when called triage
	Runtime string // Process (default) or Container
	Engine  string // socket of the container engine (default: what is found)
	JSON    bool   // one JSON object on Out instead of a view; progress goes to Err
	Keep    bool   // leave the directory
	Color   bool
	In      io.Reader // where the user quits, if it and Out are a terminal
	Out     io.Writer
	Err     io.Writer
	Getenv  func(string) string
}

// tour is one run. It belongs to the goroutine of Run; only load has others.
type tour struct {
	options Options
	dir     string
	server  *server
	client  *client.Client
	load    *load
	view    *view
	link    client.Link // to the console
	host    string      // of the container engine, where the releases are images
	results []Result
}

// Run runs the tour. It returns nil only if every release ended as expected, no
// request was lost and the ledger was verified and replayed. On a terminal it then
// waits, with the console, until its user quits. It leaves no process behind, and no
// file unless Keep is set.
func Run(ctx context.Context, o Options) error {
	if err := checkRuntime(o.Runtime); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "fairlead-tour-")
	if err != nil {
		return fmt.Errorf("make a directory for the tour: %w", err)
	}
	t := &tour{options: o, dir: dir, view: newView(o)}
	report, err := t.show(ctx)
	t.view.close()
	stays := err == nil && t.watched()
	if stays {
		err = errors.Join(report.print(o), t.stay(ctx))
	}
	interrupted := errors.Is(err, context.Canceled)
	if err != nil && !interrupted {
		t.showLog()
	}
	err = errors.Join(err, t.end(ctx))
	report.OK = report.OK && err == nil
	if o.JSON || !interrupted && !stays && t.load != nil { // without users there is nothing to tell
		if printErr := report.print(o); err == nil {
			err = printErr
		}
	}
	if err == nil && !report.OK {
		err = fairlead.Errorf(fairlead.Internal, "tour", "%s", report.problem())
	}
	return err
}

func (t *tour) stateDir() string { return filepath.Join(t.dir, "state") }

// show is all of the tour that has to end in time. The report is as far as it came.
func (t *tour) show(ctx context.Context) (Report, error) {
	within := limit
	if t.options.Runtime == Container {
		within += packing
	}
	tooLong := fairlead.Errorf(fairlead.Unavailable, "tour", "it did not end within %s", within).WithHint("is the machine busy? The tour wants two cores")
	limited, cancel := context.WithTimeoutCause(ctx, within, tooLong)
	defer cancel()
	report, err := t.run(limited)
	if err != nil && context.Cause(limited) != nil {
		err = context.Cause(limited)
	}
	return report, err
}

func (t *tour) run(ctx context.Context) (Report, error) {
	err := t.start(ctx)
	if err == nil {
		err = t.releaseAll(ctx)
	}
	report := Report{Console: t.link.URL, Releases: t.results}
	if t.load != nil {
		t.view.say("Waiting for the last answers.")
		t.load.stop(drainTime)
		report.Requests, report.Lost, report.reasons = t.load.totals()
	}
	if err != nil {
		return report, err
	}
	t.view.say("Verifying the ledger and replaying every decision.")
	report.Ledger, err = t.checkLedger(ctx)
	report.OK = report.problem() == ""
	return report, err
}

// end ends everything that runs and removes the directory unless it is to be kept.
func (t *tour) end(ctx context.Context) error {
	var err error
	if t.server != nil {
		t.view.tell("Ending everything.")
		err = errors.Join(t.server.end(ctx, t.client), t.leave(ctx))
	}
	if t.options.Keep {
		fmt.Fprintf(t.options.Err, "the state is kept in %s\n", t.stateDir())
		return err
	}
	if removeErr := removeTree(t.dir); removeErr != nil {
		err = errors.Join(err, fmt.Errorf("remove %s: %w", t.dir, removeErr))
	}
	return err
}

// start starts the server, deploys v1 and starts the traffic.
func (t *tour) start(ctx context.Context) error {
	if err := t.engine(ctx); err != nil {
		return err
	}
	t.view.say("Starting Fairlead in a temporary directory.")
	var err error
	if t.server, err = startServer(t.options.Program, t.dir, t.stateDir(), t.host); err != nil {
		return err
	}
	t.client = client.Local(t.stateDir())
	version, err := t.server.answer(ctx, t.client)
	if err != nil {
		return err
	}
	if token := client.ReadToken(t.stateDir()); token != "" {
		t.client = t.client.WithToken(token)
	}
	if t.link, err = t.client.ConsoleLink(ctx, client.NewLink{}); err != nil {
		return fmt.Errorf("make a link to the console: %w", err)
	}
	t.view.invite(t.link)
	first := release.Versions()[0]
	result, err := t.release(ctx, stage{version: first, expected: client.Promoted})
	if err != nil {
		return err
	}
	if result.Outcome != string(client.Promoted) {
		return fairlead.Errorf(fairlead.Internal, "tour", "the first release ended %s: %s", result.Outcome, result.reason)
	}
	t.load = startLoad(version.Gateway, host)
	t.view.load = t.load
	t.view.say(fmt.Sprintf("Users arrive: %d requests a second from %s sessions.", rate, progress.Count(sessions)))
	return t.pass(ctx, settle)
}

// pass lets time pass, with the view alive.
func (t *tour) pass(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		t.view.draw()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			return nil
		case <-ticker.C:
		}
	}
}

// during runs do with the view alive and returns its error.
func (t *tour) during(ctx context.Context, do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		t.view.draw()
		select {
		case err := <-done:
			return err
		case <-ticker.C:
		}
	}
}

// showLog prints the end of the server's log after a failure.
func (t *tour) showLog() {
	data, err := os.ReadFile(filepath.Join(t.dir, logName))
	if err != nil || len(data) == 0 {
		return
	}
	fmt.Fprintf(t.options.Err, "the end of the server's log:\n%s\n", data[max(0, len(data)-4000):])
}

// removeTree removes a directory with the read-only trees below it, which an
// ordinary user has to make writable first.
func removeTree(dir string) error {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return os.Chmod(path, 0o700)
	})
	return errors.Join(err, os.RemoveAll(dir))
}
