package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// room runs a shell script in a user and a mount namespace of its own, in which the
// state directory is a file system of a few megabytes. Its functions: fill BYTES
// leaves so many free, step NAME COMMAND... keeps output, error and exit status of
// a command, serve waits for a control plane that was started behind it.
func (w *world) room(megabytes int, script string) {
	w.Helper()
	if err := os.Mkdir(w.state, 0o700); err != nil {
		w.Fatal(err)
	}
	cmd := w.command()
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", fmt.Sprintf(roomFunctions, megabytes) + script}
	cmd.Env = append(cmd.Env, "S="+w.state, "D="+w.dir, "F="+built.fairlead)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid: true, Pdeathsig: syscall.SIGKILL, Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	timer := time.AfterFunc(3*time.Minute, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer timer.Stop()
	err := cmd.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		w.Skipf("no namespaces can be had here: %v", err)
	}
	if cmd.ProcessState.ExitCode() == 75 {
		w.Skipf("no file system can be mounted in a namespace here: %s", &said)
	}
	if err != nil {
		w.Fatalf("%v: %s", err, &said)
	}
}

const roomFunctions = `
mount -t tmpfs -o size=%dm,mode=700 none "$S" || exit 75
fill() {
	rm -f "$S/fill"
	head -c 1G /dev/zero > "$S/fill" 2>/dev/null
	size=$(wc -c < "$S/fill")
	if [ "$1" -gt 0 ]; then truncate -s $((size - $1)) "$S/fill"; fi
}
step() { name=$1; shift; "$@" >"$D/$name.out" 2>"$D/$name.err"; echo $? >"$D/$name.code"; }
serve() {
	for i in $(seq 1 600); do
		"$F" version --output json 2>/dev/null | grep -q '"server"' && return 0
		kill -0 "$1" 2>/dev/null || return 1
		sleep 0.1
	done
	return 1
}
`

// step is what became of a step of a room.
func (w *world) step(name string) result {
	w.Helper()
	read := func(kind string) string {
		data, err := os.ReadFile(filepath.Join(w.dir, name+"."+kind))
		if err != nil {
			w.Fatalf("the step %s was not taken: %v", name, err)
		}
		return string(data)
	}
	code, err := strconv.Atoi(strings.TrimSpace(read("code")))
	if err != nil {
		w.Fatal(err)
	}
	return result{[]string{name}, read("out"), read("err"), code}
}

var fullDisk = regexp.MustCompile(`(?i)no space left|disk is full|full`)

func TestUpOnAFullDiskSaysSoAndWorksOnceThereIsRoom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.room(8, `
for free in 0 4096 16384 65536 131072 262144 524288; do
	fill $free
	(step "up-$free" sh -c 'exec "$F" up --listen 127.0.0.1:0 --api 127.0.0.1:0 --output json --log-level error') & plane=$!
	if serve $plane; then
		rm -f "$S/fill"
		step "down-$free" "$F" down
	fi
	wait $plane
done
rm -f "$S/fill"
(step up sh -c 'exec "$F" up --listen 127.0.0.1:0 --api 127.0.0.1:0 --output json --log-level error') & plane=$!
serve $plane
step status "$F" status
step down "$F" down
wait $plane
step verify "$F" ledger verify
ls -A "$S" > "$D/kept"
`)
	refused := 0
	for _, free := range []int{0, 4096, 16384, 65536, 131072, 262144, 524288} {
		r := w.step(fmt.Sprint("up-", free))
		if r.code == 0 {
			t.Logf("%d bytes are room enough", free)
			continue
		}
		refused++
		t.Logf("with %d bytes free: %s", free, r.err)
		var lines []string
		for line := range strings.Lines(r.err) {
			if strings.HasPrefix(line, `{"error":`) {
				lines = append(lines, line)
			}
		}
		if r.code != 1 || len(lines) != 1 || !fullDisk.MatchString(lines[0]) || !strings.Contains(lines[0], `"hint":"make room`) {
			t.Errorf("with %d bytes free: %s", free, r)
		}
	}
	if refused == 0 {
		t.Error("the disk never was full")
	}
	for _, step := range []string{"up", "status", "down", "verify"} {
		if r := w.step(step); r.code != 0 {
			t.Errorf("once there is room: %s", r)
		}
	}
	listed, err := os.ReadFile(filepath.Join(w.dir, "kept"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(string(listed)) {
		if !kept.MatchString(name) {
			t.Errorf("left: %s", name)
		}
	}
}

func TestADeployOnAFullDiskSaysSoMakesNoReleaseAndWorksOnceThereIsRoom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := w.lay(behaviour{Version: "v1"}, appFile{})
	write(w, filepath.Join(w.dir, "v1", "model"), strings.Repeat("weights ", 1<<20))
	w.room(96, `
(step up sh -c 'exec "$F" up --listen 127.0.0.1:0 --api 127.0.0.1:0 --output json --log-level error') & plane=$!
serve $plane
fill 1000000
step upload "$F" deploy -f "`+file+`" --output json
fill 0
step full "$F" deploy -f "`+file+`" --output json
step secret sh -c 'echo hunter2 | "$F" secret set key --env production --output json'
step status "$F" status
step none "$F" releases `+w.named+`
find "$S/content/tmp" "$S/scratch" -type f > "$D/half"
rm -f "$S/fill"
step again "$F" deploy -f "`+file+`" --wait --output json
step releases "$F" releases `+w.named+` --output json
step down "$F" down
wait $plane
step verify "$F" ledger verify
`)
	for _, name := range []string{"upload", "full", "secret"} {
		r := w.step(name)
		if r.code != 1 || strings.Count(r.err, "\n") != 1 || !fullDisk.MatchString(r.err) || !strings.Contains(r.err, `"hint":"make room`) {
			t.Errorf("%s", r)
		}
	}
	if r := w.step("none"); r.code != 1 {
		t.Errorf("a refused deploy made a release: %s", r)
	}
	if half, err := os.ReadFile(filepath.Join(w.dir, "half")); err != nil || len(half) > 0 {
		t.Errorf("half done: %q, %v", half, err)
	}
	for _, name := range []string{"status", "again", "releases", "down", "verify"} {
		if r := w.step(name); r.code != 0 {
			t.Errorf("%s", r)
		}
	}
	if r := w.step("releases"); strings.Count(r.out, `"number"`) != 1 {
		t.Errorf("%s", r)
	}
}
