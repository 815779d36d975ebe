package tour

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/cli"
	"github.com/fairlead/fairlead/cli/clitest"
)

// TestMain lets this binary stand in for fairlead, which the tour starts as its
// child: the commands are real, behind `up` is a server that plays a script.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 || strings.HasPrefix(os.Args[1], "-") {
		os.Exit(m.Run())
	}
	std := cli.Std{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv}
	wiring := cli.Wiring{Up: up, Tour: tourOfMyself,
		Verify: func(context.Context, cli.VerifyOptions) (cli.Verification, error) {
			return cli.Verification{Entries: 42, Verified: true}, nil
		},
		Replay: func(context.Context, string) (cli.Replay, error) { return cli.Replay{Replayed: true}, nil },
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(cli.Run(ctx, os.Args[1:], std, wiring))
}

// tourOfMyself lets a person look at the view: tour.test tour.
func tourOfMyself(ctx context.Context, o cli.TourOptions, std cli.Std) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	return Run(ctx, Options{Program: program, JSON: o.JSON, Keep: o.Keep, Color: o.Color, In: std.In, Out: std.Out, Err: std.Err, Getenv: std.Getenv})
}

// up plays v1 and v2 good, v3 and v4 bad, the others broken; the environment says
// how fast, and whether the gateway drops a request.
func up(ctx context.Context, o cli.UpOptions) error {
	if err := os.MkdirAll(o.State, 0o700); err != nil {
		return err
	}
	speed, _ := strconv.ParseFloat(os.Getenv("TOUR_TEST_SPEED"), 64)
	server, err := clitest.Start(o.State, max(speed, 1), "production")
	if err != nil {
		return err
	}
	server.Plays = func(number int) string {
		return [...]string{"", "good", "good", "bad", "bad", "broken", "broken"}[number]
	}
	gateway := httptest.NewServer(splitter(server))
	defer gateway.Close()
	server.Gateway = gateway.Listener.Addr().String()
	defer context.AfterFunc(ctx, server.Close)()
	server.Wait()
	return nil
}

// splitter answers for the stable and the canary release by their weights.
func splitter(server *clitest.Server) http.HandlerFunc {
	drop := os.Getenv("TOUR_TEST_DROP")
	stable := 1
	return func(w http.ResponseWriter, r *http.Request) {
		if drop != "" && strings.HasSuffix(r.Header.Get("X-Request-Id"), drop) {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		newest := server.Newest()
		number := stable
		if newest.To > 2 {
			number = 2
		}
		if rand.Uint32N(10_000) < uint32(newest.Weight) && newest.Outcome == "" {
			number = newest.To
		}
		application(strconv.Itoa(number))(w, r)
	}
}

func runTour(t *testing.T, ctx context.Context, env map[string]string) (Report, string, error) {
	t.Helper()
	t.Setenv("TMPDIR", shortTemp(t))
	for name, value := range env {
		t.Setenv(name, value)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	err = Run(ctx, Options{Program: program, JSON: true, Out: &out, Err: &errOut, Getenv: os.Getenv})
	var report Report
	if decodeErr := json.Unmarshal(out.Bytes(), &report); decodeErr != nil {
		t.Fatalf("%v in %q", decodeErr, out.String())
	}
	left, _ := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "fairlead-tour-*"))
	if len(left) > 0 {
		t.Errorf("the tour leaves %q", left)
	}
	return report, errOut.String(), err
}

func shortTemp(t *testing.T) string {
	dir, err := os.MkdirTemp("/tmp", "ft") // the path of a Unix socket has about 100 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestATourWhoseReleasesEndAsExpectedSucceeds(t *testing.T) {
	report, said, err := runTour(t, context.Background(), map[string]string{"TOUR_TEST_SPEED": "30"})
	if err != nil || !report.OK || report.Lost != 0 || report.Requests == 0 || report.Ledger.Entries != 42 {
		t.Errorf("%v: %+v\n%s", err, report, said)
	}
	if link := "http://fairlead.localhost:1/login?code=once"; report.Console != link || !strings.Contains(said, link) {
		t.Errorf("the link to the console is %q in the report, and it said\n%s", report.Console, said)
	}
	if len(report.Releases) != 5 {
		t.Fatalf("%d releases: %+v", len(report.Releases), report.Releases)
	}
	for i, outcome := range []client.Outcome{client.Promoted, client.RolledBack, client.RolledBack, client.Failed, client.Failed} {
		if r := report.Releases[i]; r.Outcome != string(outcome) || r.Seconds <= 0 || (r.Requests > 0) != (i < 3) {
			t.Errorf("release %d is %+v", i, r)
		}
	}
	if !strings.Contains(said, "v3: retries to the knowledge base are off") {
		t.Errorf("the progress does not name what is released:\n%s", said)
	}
}

func TestATourThatLosesARequestFails(t *testing.T) {
	report, _, err := runTour(t, context.Background(), map[string]string{"TOUR_TEST_SPEED": "30", "TOUR_TEST_DROP": "777"})
	if err == nil || report.OK || report.Lost == 0 || !strings.Contains(err.Error(), "requests were lost") {
		t.Errorf("%v: %+v", err, report)
	}
}

func TestATourThatCannotBeginHasNoTableOfNothing(t *testing.T) {
	t.Setenv("TMPDIR", shortTemp(t))
	var out, errOut bytes.Buffer
	err := Run(t.Context(), Options{Program: os.Args[0], Runtime: Container, Engine: "unix:///nowhere/engine.sock", Out: &out, Err: &errOut, Getenv: os.Getenv})
	if err == nil || strings.Contains(out.String(), "RELEASE") || strings.Contains(out.String(), "0 in all") {
		t.Errorf("%v; it wrote:\n%s", err, out.String())
	}
}

func TestAnInterruptedTourEndsEverything(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(time.Second, cancel)
	report, _, err := runTour(t, ctx, map[string]string{"TOUR_TEST_SPEED": "1"})
	if !errors.Is(err, context.Canceled) || report.OK {
		t.Errorf("%v: %+v", err, report)
	}
	if left := sweep(os.Getenv("TMPDIR")); left > 0 {
		t.Errorf("%d processes were left", left)
	}
}
