package e2e

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fairlead/fairlead/api/client"
)

// upFails says that a start fails with an error that has all words, and leaves
// nothing behind but what the state directory keeps.
func (w *world) upFails(code int, flags []string, words ...string) {
	w.Helper()
	w.says(w.refused(code, append([]string{"up", "--log-level", "error"}, flags...)...), words...)
	w.nothingLeft()
}

// harm is something that happened to a state directory, and what a start says of it.
type harm struct {
	harm func(w *world, state string)
	code int
	says []string
}

func harms() map[string]harm {
	return map[string]harm{
		"a database without a byte":               {truncate("fairlead.db", 0), 1, []string{"corrupt", "fairlead.db: it is empty, but ledger.key says", "restore fairlead.db"}},
		"a database that is cut off":              {truncate("fairlead.db", 8192+17), 1, []string{"corrupt", "fairlead.db: "}},
		"a database with another header":          {flip("fairlead.db", 0, "not SQLite"), 1, []string{"corrupt", "fairlead.db: file is not a database"}},
		"a database with a broken page":           {flip("fairlead.db", 4096, strings.Repeat("\xa5", 4096)), 1, []string{"corrupt", "fairlead.db: "}},
		"a database that is text":                 {put("fairlead.db", "hello\n"), 1, []string{"corrupt", "fairlead.db: file is not a database"}},
		"keys.db that is text":                    {put("keys.db", "hello, this is no database\n"), 1, []string{"corrupt", "keys.db: "}},
		"a ledger's key that is none":             {put("ledger.key", "x\n"), 1, []string{"corrupt", "signing key", "restore ledger.key"}},
		"a vault's key that is none":              {put("vault.key", "x\n"), 1, []string{"corrupt", "vault.key does not hold a key"}},
		"an evidence key that is none":            {put("evidence.key", "x\n"), 1, []string{"corrupt", "evidence.key does not hold a key", "gates run again"}},
		"a token that is none":                    {put("admin.token", "x\n"), 1, []string{"corrupt", "admin.token does not hold a token"}},
		"a token of bytes that no header carries": {put("admin.token", strings.Repeat("\x00\xff", 40)), 1, []string{"corrupt", "admin.token does not hold a token"}},
		"a pipe for a lock":                       {pipe("lock"), 1, []string{"unavailable", "lock it", "local disk"}},
		"a link to nowhere for the vault": {func(w *world, state string) {
			vault := filepath.Join(state, "vault")
			if err := errors.Join(os.RemoveAll(vault), os.Symlink(filepath.Join(w.dir, "nowhere"), vault)); err != nil {
				w.Fatal(err)
			}
		}, 1, []string{"open the secret vault", "file exists", "something else stands there"}},
		"a pipe for a token":         {pipe("admin.token"), 5, []string{"forbidden", "admin.token has the mode prw", "remove it"}},
		"a term that is none":        {put("run/term.json", "x\n"), 1, []string{"corrupt", "term.json", "remove "}},
		"a key that others may read": {func(w *world, state string) { chmod(w, filepath.Join(state, "vault.key"), 0o644) }, 5, []string{"forbidden", "others may read it", "chmod 600"}},
		"a ledger of another user": {func(w *world, state string) {
			if os.Getuid() != 0 {
				w.Skip("only root can give a file away")
			}
			if err := os.Chown(filepath.Join(state, "fairlead.db"), 65534, 65534); err != nil {
				w.Fatal(err)
			}
		}, 5, []string{"forbidden", "and this is root", "fairlead up"}},
		"a record of a newer shim": {record(`{"protocol": 9}`), 1, []string{"unsupported", "is of protocol 9, this program knows up to 1", "newer Fairlead"}},
		"a record that is none":    {record("x"), 1, []string{"corrupt", "run/instances/a/state.json", "remove that directory"}},
		"a gateway's directory that is a file": {func(w *world, state string) {
			if err := os.RemoveAll(filepath.Join(state, "gateway")); err != nil {
				w.Fatal(err)
			}
			put("gateway", "")(w, state)
		}, 1, []string{"unavailable", "start the gateway", "not a directory"}},
		"a gateway that cannot start": {func(w *world, state string) {
			if err := os.RemoveAll(filepath.Join(state, "gateway", "spool")); err != nil {
				w.Fatal(err)
			}
			put("gateway/spool", "")(w, state)
		}, 1, []string{"unavailable", "start the gateway", "it ends as soon as it is started", "spool"}},
	}
}

func put(name, text string) func(*world, string) {
	return func(w *world, state string) { write(w, filepath.Join(state, name), text) }
}

func pipe(name string) func(*world, string) {
	return func(w *world, state string) {
		if err := errors.Join(os.Remove(filepath.Join(state, name)), syscall.Mkfifo(filepath.Join(state, name), 0o600)); err != nil {
			w.Fatal(err)
		}
	}
}

func truncate(name string, size int64) func(*world, string) {
	return func(w *world, state string) {
		if err := os.Truncate(filepath.Join(state, name), size); err != nil {
			w.Fatal(err)
		}
	}
}

func flip(name string, at int64, bytes string) func(*world, string) {
	return func(w *world, state string) {
		f, err := os.OpenFile(filepath.Join(state, name), os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteAt([]byte(bytes), at)
		}
		if err != nil || f.Close() != nil {
			w.Fatal(err)
		}
	}
}

func TestAStartThatFailsSaysWhyAndLeavesNothing(t *testing.T) {
	t.Parallel()
	for name, c := range harms() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			w.must("down")
			w.plane.awaitEnd()
			good := filepath.Join(w.dir, "good")
			if out, err := exec.Command("cp", "-a", w.state, good).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			c.harm(w, w.state)
			w.spared = append(w.spared, "run/instances/a", "run/instances/a/state.json")
			for range 2 { // the first try does not make the second one succeed
				w.upFails(c.code, anyPort, c.says...)
			}
			remove(t, w.state)
			if err := os.Rename(good, w.state); err != nil {
				t.Fatal(err)
			}
			w.up() // and nothing else was harmed
		})
	}
}

// record leaves the record of an instance that is not this program's.
func record(text string) func(*world, string) {
	return func(w *world, state string) {
		dir := filepath.Join(state, "run", "instances", "a")
		if err := os.Mkdir(dir, 0o700); err != nil {
			w.Fatal(err)
		}
		write(w, filepath.Join(dir, "state.json"), text)
	}
}

func chmod(w *world, path string, mode os.FileMode) {
	w.Helper()
	if err := os.Chmod(path, mode); err != nil {
		w.Fatal(err)
	}
}

func TestAStartWithAnAddressThatCannotBeHadLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	at := taken.Addr().String()
	w.upFails(1, []string{"--listen", at, "--api", "127.0.0.1:0"}, "conflict", "start the gateway", at, "address already in use", "fairlead up --listen 127.0.0.1:0")
	w.upFails(1, []string{"--listen", "127.0.0.1:0", "--api", at}, "conflict", "open the API", at, "address already in use", "fairlead up --api 127.0.0.1:0")
	w.upFails(1, []string{"--listen", "192.0.2.1:80", "--api", "127.0.0.1:0"}, "conflict", "192.0.2.1:80")
	w.upFails(2, []string{"--listen", "nonsense"}, "invalid", `--listen "nonsense" is not an address`)
	w.upFails(2, []string{"--api", "127.0.0.1:99999"}, "invalid", "--api")
	w.up()
}

func TestOfTwoStartsAtTheSameMomentOneRunsAndTheOtherSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 5 {
		both, ended := [2]*exec.Cmd{}, make(chan *exec.Cmd, 2)
		for i := range both {
			up := w.command(append([]string{"up", "--output", "json", "--log-level", "error"}, anyPort...)...)
			up.Stdout, up.Stderr = &strings.Builder{}, &strings.Builder{}
			if err := up.Start(); err != nil {
				t.Fatal(err)
			}
			go func() { _ = up.Wait(); ended <- up }() // its state says how
			both[i] = up
		}
		loser := <-ended
		said := fmt.Sprint(loser.Stderr)
		if loser.ProcessState.ExitCode() != 1 || strings.Count(said, `"error":`) != 1 || !strings.Contains(said, "another process has it open") || !strings.Contains(said, `"hint":"`) {
			t.Errorf("the one that does not run: %s: %s", loser.ProcessState, said)
		}
		w.must("version")
		for _, up := range both {
			if up != loser {
				_ = up.Process.Signal(syscall.SIGTERM)
			}
		}
		if winner := <-ended; winner.ProcessState.ExitCode() != 0 {
			t.Errorf("the one that runs: %s: %s", winner.ProcessState, winner.Stderr)
		}
		w.must("ledger", "verify")
	}
}

func TestOfTwoDeploysAtTheSameMomentOneBeginsAndTheOtherSaysSo(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.deploy(0, behaviour{Version: "v1"}, appFile{})
	files := []string{w.lay(behaviour{Version: "v2", Unready: true}, appFile{}), w.lay(behaviour{Version: "v3", Unready: true}, appFile{})}
	ended := make(chan result, len(files))
	for _, file := range files {
		go func() { ended <- w.run("deploy", "-f", file, "--output", "json") }()
	}
	first, second := <-ended, <-ended
	if first.code != 0 {
		first, second = second, first
	}
	if first.code != 0 || second.code != 1 || !strings.Contains(second.err, "is on its way") || !strings.Contains(second.err, "fairlead abort") {
		t.Errorf("%s\n%s", first, second)
	}
	if n := w.count("rollout.began"); n != 2 {
		t.Errorf("%d rollouts began", n)
	}
	if all := see[[]client.Release](w, "releases", w.named); len(all) != 2 {
		t.Errorf("the one that was refused made a release: %d of them", len(all))
	}
	w.must("abort", w.named, "--wait")
	w.proven()
}

// unjudged is entered by releases that nobody calls.
var unjudged = appFile{environments: "    - {name: production, strategy: {type: blueGreen, holdback: 0, minStep: 1s, maxStep: 1s, onInconclusive: promote, rollbackWindow: 1s}}\n"}

func TestALedgerThatIsOlderThanWhatRanIsTakenUpAndSaid(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lose func(w *world, backup string)
	}{
		"restored from a backup": {func(w *world, backup string) {
			w.must("down")
			w.plane.awaitEnd()
			copyFile(w, backup, filepath.Join(w.state, "fairlead.db"))
		}},
		"without its log of writes": {func(w *world, _ string) {
			w.plane.kill()
			for _, suffix := range []string{"-wal", "-shm"} {
				if err := os.Remove(filepath.Join(w.state, "fairlead.db"+suffix)); err != nil {
					w.Fatal(err)
				}
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			w.deploy(0, behaviour{Version: "v1"}, appFile{})
			w.must("down")
			w.plane.awaitEnd()
			backup := filepath.Join(w.dir, "backup.db")
			copyFile(w, filepath.Join(w.state, "fairlead.db"), backup)
			w.up()
			w.deploy(0, behaviour{Version: "v2"}, unjudged)
			c.lose(w, backup)
			w.up()
			w.serves()
			if log := w.plane.log.String(); !strings.Contains(log, "the ledger ends with term 1, and term 2 ran here") {
				t.Errorf("the log does not say so: %s", log)
			}
			if e := w.last("server.started"); !strings.Contains(string(e.Data), "came from a backup, or its newest entries are lost") {
				t.Errorf("the ledger does not say so: %s", e.Data)
			}
			w.deploy(0, behaviour{Version: "v3"}, unjudged)
			w.proven()
		})
	}
}
