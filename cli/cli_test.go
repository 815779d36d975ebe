package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/cli/clitest"
	"github.com/fairlead/fairlead/workload"
)

// world is a command line with a state directory and, once begun, a server.
type world struct {
	t     *testing.T
	state string
	env   map[string]string
	in    string
}

func newWorld(t *testing.T) *world {
	dir, err := os.MkdirTemp("", "fl") // short: the path of a Unix socket has about 100 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return &world{t: t, state: dir, env: map[string]string{"FAIRLEAD_STATE": dir}}
}

func (w *world) serve(speed float64, envs ...string) *clitest.Server {
	server, err := clitest.Start(w.state, speed, envs...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(server.Close)
	return server
}

// run runs a command line and returns its exit status and what it wrote.
func (w *world) run(args ...string) (status int, out, errOut string) {
	return w.runIn(context.Background(), args...)
}

func (w *world) runIn(ctx context.Context, args ...string) (int, string, string) {
	var out, errOut bytes.Buffer
	std := Std{In: strings.NewReader(w.in), Out: &out, Err: &errOut, Getenv: func(name string) string { return w.env[name] }}
	return Run(ctx, args, std, testWiring()), out.String(), errOut.String()
}

func testWiring() Wiring {
	return Wiring{
		Version:  "v9",
		Up:       func(context.Context, UpOptions) error { return nil },
		Down:     func(context.Context, DownOptions) (Ended, error) { return Ended{Gateway: true, Instances: 2}, nil },
		AwaitEnd: func(context.Context, string) error { return nil },
		ExamineEngine: func(context.Context, string) (workload.EngineDiagnosis, error) {
			return workload.EngineDiagnosis{Holds: true, Why: "no container engine was found", Hint: "install one", Checks: []workload.Check{}}, nil
		},
		Doctor: func(context.Context) (workload.Diagnosis, error) {
			return workload.Diagnosis{Holds: true, Checks: []workload.Check{{Protection: workload.Protection{Name: "landlock", Enforced: true, Detail: "ABI 7"}}}}, nil
		},
		Verify: func(context.Context, VerifyOptions) (Verification, error) {
			return Verification{Entries: 3, Problems: []string{"entry 2 was changed"}}, nil
		},
		Replay: func(context.Context, string) (Replay, error) { return Replay{Decisions: 7, Replayed: true}, nil },
		Tour:   func(context.Context, TourOptions, Std) error { return errors.New("no tour here") },
	}
}

// appFile writes an App file whose release plays a script, and its artifact.
func (w *world) appFile(script string) string {
	dir := w.t.TempDir()
	text := "apiVersion: fairlead.dev/v1\nkind: App\nmetadata: {name: triage}\nspec:\n  artifact: {directory: ./dist}\n  command: [./triage]\n  env: {SCRIPT: " + script + "}\n"
	for name, data := range map[string]string{"app.yaml": text, "dist/triage": "program", "dist/sub/model": "weights", "dist/sub/copy": "weights"} {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(data), 0o700)); err != nil {
			w.t.Fatal(err)
		}
	}
	return filepath.Join(dir, "app.yaml")
}

func TestDeployWithWaitEndsWithTheStatusOfTheOutcome(t *testing.T) {
	cases := map[string]struct {
		status int
		says   string
	}{
		"good":   {ExitDone, "triage@1 is promoted in production"},
		"bad":    {ExitRolledBack, "is rolled back in production after 27 s"},
		"broken": {ExitFailed, "failed in production"},
		"stuck":  {ExitInconclusive, "is held (inconclusive) in production at 25 %"},
	}
	for script, want := range cases {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.serve(20, "production")
			status, out, errOut := w.run("deploy", "-f", w.appFile(script), "--wait")
			if status != want.status || !strings.Contains(out, want.says) {
				t.Errorf("status %d, want %d, saying %q:\n%s%s", status, want.status, want.says, out, errOut)
			}
		})
	}
}

func TestDeployUploadsWhatIsMissingOnce(t *testing.T) {
	w := newWorld(t)
	server := w.serve(20, "production")
	file := w.appFile("good")
	if _, _, errOut := w.run("deploy", "-f", file); !strings.Contains(errOut, "uploaded 2 of 2 files") {
		t.Errorf("the first deploy says %q", errOut)
	}
	if n := len(server.Blobs()); n != 3 {
		t.Errorf("the server holds %d blobs, want two contents and the manifest", n)
	}
	if _, _, errOut := w.run("deploy", "-f", file); strings.Contains(errOut, "uploaded") {
		t.Errorf("the second deploy uploads again: %q", errOut)
	}
}

func TestAnArchiveIsUploadedAsOneFile(t *testing.T) {
	w := newWorld(t)
	w.serve(20, "production")
	dir := t.TempDir()
	archive, file := filepath.Join(dir, "triage.tar"), filepath.Join(dir, "triage.yaml")
	const declared = "apiVersion: fairlead.dev/v1\nkind: App\nmetadata: {name: triage}\nspec:\n  artifact: {archive: triage.tar}\n"
	for name, text := range map[string]string{archive: "layers", file: declared} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, errOut := w.run("deploy", "-f", file); !strings.Contains(errOut, "uploaded "+archive+"\n") {
		t.Errorf("the deploy says %q", errOut)
	}
}

func TestWaitingPrintsOneJSONValue(t *testing.T) {
	w := newWorld(t)
	w.serve(20, "production")
	status, out, errOut := w.run("deploy", "-f", w.appFile("bad"), "--wait", "--output", "json")
	var d struct{ Rollout struct{ Outcome string } }
	if err := json.Unmarshal([]byte(out), &d); err != nil || d.Rollout.Outcome != "rolledBack" || status != ExitRolledBack || errOut != "" {
		t.Errorf("status %d, %v, %q, standard error %q", status, err, out, errOut)
	}
}

func TestInterruptingAWaitLeavesTheRolloutGoing(t *testing.T) {
	w := newWorld(t)
	w.serve(0.001, "production")
	ctx, cancel := context.WithTimeoutCause(context.Background(), time.Minute, nil)
	defer cancel()
	interrupted, interrupt := context.WithCancel(ctx)
	time.AfterFunc(300*time.Millisecond, interrupt)
	status, _, errOut := w.runIn(interrupted, "deploy", "-f", w.appFile("good"), "--wait")
	if status != ExitInterrupted || !strings.Contains(errOut, "the rollout goes on") {
		t.Errorf("status %d, standard error %q", status, errOut)
	}
	if _, out, _ := w.run("status", "--once"); !strings.Contains(out, "triage@1 waiting for its gates") {
		t.Errorf("after it the rollout is not moving:\n%s", out)
	}
}

func TestWaitingOutlastsARestartOfTheServer(t *testing.T) {
	w := newWorld(t)
	server := w.serve(10, "production")
	server.Script("good")
	time.AfterFunc(400*time.Millisecond, func() { server.Away(true) })
	time.AfterFunc(1200*time.Millisecond, func() { server.Away(false) })
	status, out, errOut := w.run("deploy", "-f", w.appFile("good"), "--wait")
	if status != ExitDone || !strings.Contains(out, "the control plane does not answer; the traffic goes on") {
		t.Errorf("status %d:\n%s%s", status, out, errOut)
	}
}

func TestExitStatusesAndErrorsForEachKindOfFailure(t *testing.T) {
	cases := map[string]struct {
		args   []string
		status int
		says   string
	}{
		"an unknown command":      {[]string{"depoly"}, ExitUsage, "hint: did you mean: fairlead deploy"},
		"an unknown subcommand":   {[]string{"ledger", "verfy"}, ExitUsage, "hint: did you mean: fairlead ledger verify"},
		"a group alone":           {[]string{"secret"}, ExitUsage, "hint: one of: list, rm, rotate, set"},
		"an unknown flag":         {[]string{"deploy", "--wiat"}, ExitUsage, "hint: did you mean: --wait"},
		"too many arguments":      {[]string{"status", "a", "b"}, ExitUsage, "status: takes [APP], not 2 arguments"},
		"no file":                 {[]string{"deploy"}, ExitUsage, "deploy needs the App file"},
		"no release name":         {[]string{"promote", "triage7", "--to", "x"}, ExitUsage, "hint: write app@number"},
		"a strange output":        {[]string{"status", "--output", "xml"}, ExitUsage, "hint: write --output text or --output json"},
		"a strange server":        {[]string{"status", "--server", "host:1"}, ExitUsage, "hint: write it as https://host:port"},
		"a missing token file":    {[]string{"status", "--server", "http://127.0.0.1:1", "--token-file", "/nowhere"}, ExitUsage, "--token-file: there is no file /nowhere"},
		"no server":               {[]string{"status"}, ExitNoServer, "hint: start one with: fairlead up"},
		"no remote server":        {[]string{"status", "--server", "http://127.0.0.1:1"}, ExitNoServer, "no Fairlead server answers"},
		"an absent App file":      {[]string{"deploy", "-f", "/nowhere/app.yaml"}, ExitFailed, "deploy: there is no file /nowhere/app.yaml"},
		"a secret without an env": {[]string{"secret", "list"}, ExitUsage, "hint: add --env"},
		"a ledger that differs":   {[]string{"ledger", "verify"}, ExitFailed, "NOT verified:\n  entry 2 was changed"},
		"a remote ledger":         {[]string{"ledger", "verify", "--server", "http://127.0.0.1:1"}, ExitFailed, "hint: run it there"},
		"a tour that fails":       {[]string{"tour"}, ExitFailed, "fairlead: tour: no tour here"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			status, out, errOut := w.run(c.args...)
			if status != c.status || !strings.Contains(out+errOut, c.says) {
				t.Errorf("status %d, want %d, saying %q:\n%s%s", status, c.status, c.says, out, errOut)
			}
		})
	}
}

func TestACallWithoutAKnownPrincipalEndsAsNotAuthorized(t *testing.T) {
	w := newWorld(t)
	w.serve(1, "production").Token = "right"
	if status, _, errOut := w.run("status"); status != ExitUnauthorized || !strings.Contains(errOut, "hint: use --token-file") {
		t.Errorf("status %d: %s", status, errOut)
	}
	if err := os.WriteFile(filepath.Join(w.state, "admin.token"), []byte("right\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, errOut := w.run("status"); status != ExitDone {
		t.Errorf("with the token of the state directory: status %d: %s", status, errOut)
	}
}

func TestErrorsAreJSONWhenJSONIsAsked(t *testing.T) {
	w := newWorld(t)
	for _, args := range [][]string{{"status", "--output", "json"}, {"--output=json", "nosuch"}, {"deploy", "--nosuch", "--output", "json"}} {
		status, out, errOut := w.run(args...)
		var e struct {
			Error struct{ Code, Operation, Message, Hint string }
		}
		if err := json.Unmarshal([]byte(errOut), &e); err != nil || e.Error.Code == "" || e.Error.Message == "" || status == 0 || out != "" {
			t.Errorf("%q: status %d, %v, %q, %q", args, status, err, out, errOut)
		}
	}
}

func TestWithoutEnvNothingIsChangedWhereThereAreSeveralAndTheLastOneIsShown(t *testing.T) {
	w := newWorld(t)
	server := w.serve(1, "staging", "production")
	server.Script("good")
	for _, command := range []string{"pause", "resume", "abort", "rollback"} {
		status, out, errOut := w.run(command, "triage")
		if status != ExitUsage || out != "" || !strings.Contains(errOut, command+" triage: it is in staging, production") ||
			!strings.Contains(errOut, "hint: name one: fairlead "+command+" triage --env production") {
			t.Errorf("%s: status %d:\n%s%s", command, status, out, errOut)
		}
	}
	if r := server.Newest(); r.Held != "" || r.Outcome != "" {
		t.Errorf("the rollout was touched: %+v", r)
	}
	if status, _, errOut := w.run("abort", "triage", "--env", "staging"); status != ExitFailed || !strings.Contains(errOut, "no rollout is moving in staging") {
		t.Errorf("status %d: %s", status, errOut)
	}
	if status, _, errOut := w.run("explain", "triage"); status != ExitDone || !strings.Contains(errOut, "environment production, the last of 2") {
		t.Errorf("explain: status %d: %s", status, errOut)
	}
}

func TestASecretComesFromStandardInputAndIsNeverShown(t *testing.T) {
	w := newWorld(t)
	server := w.serve(1, "production")
	w.in = "hunter2\n"
	status, out, errOut := w.run("secret", "set", "key", "--env", "production")
	if status != ExitDone || strings.Contains(out+errOut, "hunter2") || out != "key in production has version 1\n" {
		t.Errorf("status %d: %q %q", status, out, errOut)
	}
	if got := server.Blobs()[fairlead.Digest("secret:key")]; string(got) != "hunter2" {
		t.Errorf("the server got %q", got)
	}
	if status, _, _ := w.run("secret", "rotate", "kye", "--env", "production"); status != ExitFailed {
		t.Errorf("rotating a secret that does not exist: status %d", status)
	}
	if _, out, _ := w.run("secret", "rotate", "key", "--env", "production", "--output", "json"); !strings.Contains(out, `"version":2`) {
		t.Errorf("rotate says %q", out)
	}
	w.in = ""
	if status, _, errOut := w.run("secret", "set", "key", "--env", "production"); status != ExitFailed || !strings.Contains(errOut, "the value is empty") {
		t.Errorf("status %d: %s", status, errOut)
	}
}

func TestStreamsAreLinesOfJSON(t *testing.T) {
	w := newWorld(t)
	w.serve(1, "production")
	for _, args := range [][]string{{"events"}, {"logs", "triage"}, {"events", "--from", "0"}} {
		status, out, errOut := w.run(append(args, "--output", "json")...)
		n := 0
		for line := range strings.Lines(out) {
			if n++; !json.Valid([]byte(line)) {
				t.Errorf("%q gives the line %q", args, line)
			}
		}
		if status != ExitDone || n < 2 {
			t.Errorf("%q: status %d, %d lines, %s", args, status, n, errOut)
		}
	}
	if _, out, _ := w.run("events", "--tail", "1"); strings.Count(out, "\n") != 1 || !strings.Contains(out, "triage@1 is on its way to production") {
		t.Errorf("the newest event is %q", out)
	}
}

func TestLogsOfAllInstancesComeInTheOrderOfTime(t *testing.T) {
	line := func(instance, at, text string) client.LogLine {
		return client.LogLine{Instance: instance, Time: "2026-01-02T03:04:" + at, Text: text}
	}
	lines := []client.LogLine{line("b", "06Z", "third"), line("b", "07.5Z", "fourth"), line("a", "05Z", "first"), line("a", "05.5Z", "second")}
	inOrder(lines)
	for i, want := range []string{"first", "second", "third", "fourth"} {
		if lines[i].Text != want {
			t.Errorf("line %d is %q, want %s", i, lines[i].Text, want)
		}
	}
}

func TestWhatIsMissingOnDiskIsNamedBeforeTheServerIsAsked(t *testing.T) {
	w := newWorld(t)
	file := w.appFile("good")
	if err := os.RemoveAll(filepath.Join(filepath.Dir(file), "dist")); err != nil {
		t.Fatal(err)
	}
	status, _, errOut := w.run("deploy", "-f", file)
	if status != ExitFailed || !strings.Contains(errOut, "there is no directory") || !strings.Contains(errOut, "hint: build it; spec.artifact.directory") {
		t.Errorf("status %d: %s", status, errOut)
	}
}

func TestAnOperationIsNamedOnce(t *testing.T) {
	for message, want := range map[string]string{
		"pause a: pause a: it is over": "pause a: it is over",
		"pause a: it is over":          "pause a: it is over",
		"it is over":                   "it is over",
	} {
		if got := once("pause a", message); got != want {
			t.Errorf("%q becomes %q, want %q", message, got, want)
		}
	}
}

func TestEveryCommandHasHelpAndAnExampleThatParses(t *testing.T) {
	inv := &invocation{std: Std{Getenv: func(string) string { return "" }}, wiring: testWiring()}
	var check func(*cobra.Command)
	check = func(cmd *cobra.Command) {
		if cmd.Name() == "help" || cmd.IsAdditionalHelpTopicCommand() && !cmd.HasSubCommands() {
			return
		}
		if len(cmd.Long) < 60 || cmd.Example == "" {
			t.Errorf("%s has no long help or no example", cmd.CommandPath())
		}
		for line := range strings.Lines(cmd.Example) {
			words := shellWords(line)
			found, rest, err := inv.root().Find(words[1:])
			if err == nil {
				err = found.ParseFlags(rest)
			}
			if err == nil {
				err = found.ValidateArgs(found.Flags().Args())
			}
			if words[0] != "fairlead" || err != nil || found.CommandPath() != cmd.CommandPath() && cmd.HasParent() && !cmd.HasSubCommands() {
				t.Errorf("%s: the example %q does not work: %v", cmd.CommandPath(), line, err)
			}
		}
		for _, sub := range cmd.Commands() {
			check(sub)
		}
	}
	check(inv.root())
}

// shellWords splits a line as a shell would, up to a redirection.
func shellWords(line string) []string {
	line, _, _ = strings.Cut(strings.TrimSpace(line), " <")
	line, _, _ = strings.Cut(line, " >")
	var words []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}

func TestTheReferencePageNamesEveryCommandAndFlag(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "docs", "reference", "cli.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	var check func(*cobra.Command)
	check = func(cmd *cobra.Command) {
		if cmd.Name() == "help" || cmd.IsAdditionalHelpTopicCommand() && !cmd.HasSubCommands() {
			return
		}
		if !strings.Contains(page, "`"+cmd.CommandPath()) {
			t.Errorf("docs/reference/cli.md does not name %s", cmd.CommandPath())
		}
		cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" && !f.Hidden && !strings.Contains(page, "--"+f.Name) {
				t.Errorf("docs/reference/cli.md does not name --%s of %s", f.Name, cmd.CommandPath())
			}
		})
		for _, sub := range cmd.Commands() {
			check(sub)
		}
	}
	check((&invocation{std: Std{Getenv: func(string) string { return "" }}}).root())
}

func TestDownWithoutAServerEndsWhatOneLeftAndSaysWhat(t *testing.T) {
	w := newWorld(t)
	status, out, errOut := w.run("down")
	if status != 0 || out != "no control plane answered; ended: the gateway and 2 instances\n" || errOut != "" {
		t.Errorf("%d %q %q", status, out, errOut)
	}
	if status, _, _ := w.run("down", "--keep-running"); status != ExitNoServer {
		t.Errorf("down --keep-running: %d", status)
	}
	if status, _, _ := w.run("down", "--server", "http://127.0.0.1:1"); status != ExitNoServer {
		t.Errorf("down elsewhere: %d", status)
	}
}

func TestAHugeFileIsNotReadIntoMemory(t *testing.T) {
	w := newWorld(t)
	huge := filepath.Join(t.TempDir(), "huge.yaml")
	if err := errors.Join(os.WriteFile(huge, nil, 0o600), os.Truncate(huge, 1<<30)); err != nil { // a hole
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"deploy", "-f", huge}, {"secret", "set", "key", "--env", "production", "--file", huge}, {"status", "--server", "http://127.0.0.1:1", "--token-file", huge},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		status, _, errOut := w.run(args...)
		runtime.ReadMemStats(&after)
		if status == 0 || !strings.Contains(errOut, "hint: ") {
			t.Errorf("%q: %d %s", args, status, errOut)
		}
		if most := uint64(32 << 20); after.TotalAlloc-before.TotalAlloc > most {
			t.Errorf("%q: %d bytes were allocated", args, after.TotalAlloc-before.TotalAlloc)
		}
	}
}

func TestAServerThatThisUserMayNotReachIsNotSaidToBeMissing(t *testing.T) {
	inv := &invocation{flags: globals{state: "/x"}, std: Std{Getenv: func(string) string { return "" }}}
	message, hint := inv.noServer("status", fmt.Errorf("dial: %w", fs.ErrPermission))
	if message != "status: no Fairlead server answers for the state directory /x, which this user may not enter" || !strings.Contains(hint, "as the user who owns it") {
		t.Errorf("%q, %q", message, hint)
	}
}
