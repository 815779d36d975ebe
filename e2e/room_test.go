package e2e

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// room is a mount namespace in which a world's state directory is a small disk of
// its own.
type room struct {
	w      *world
	keeper *exec.Cmd // a process in it
	enter  []string  // what runs a command in it
}

// newRoom makes a world whose state directory is a disk of some size.
func newRoom(t *testing.T, size string) (*world, *room) {
	t.Helper()
	w := newWorld(t)
	if err := os.Mkdir(w.state, 0o700); err != nil {
		t.Fatal(err)
	}
	r := &room{w: w, enter: []string{"nsenter", "-m"}}
	flags := []string{"-m"}
	if os.Getuid() != 0 {
		flags, r.enter = []string{"-m", "-U", "-r"}, []string{"nsenter", "-m", "-U", "--preserve-credentials"}
	}
	script := "mount -t tmpfs -o mode=700,size=" + size + " disk " + w.state + " && echo ready && exec cat"
	r.keeper = exec.Command("unshare", append(flags, "sh", "-c", script)...)
	in, err := r.keeper.StdinPipe() // its end ends the keeper
	if err != nil {
		t.Fatal(err)
	}
	out, err := r.keeper.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.keeper.Stderr = os.Stderr
	if err := r.keeper.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("ready\n"))); err != nil {
		t.Fatalf("no mount namespace: %v", err)
	}
	r.enter = append(r.enter, "-t", fmt.Sprint(r.keeper.Process.Pid), "--wd="+w.dir, "--")
	w.enter, w.root = r.enter, fmt.Sprintf("/proc/%d/root", r.keeper.Process.Pid)
	t.Cleanup(func() { // after the world has ended, for cleanups run backwards
		w.endAll()
		w.plane, w.enter, w.root = nil, nil, ""
		in.Close()
		_ = r.keeper.Wait()
	})
	return w, r
}

// filler is a file that takes all room.
func (r *room) filler() string {
	return r.w.seen(filepath.Join(r.w.state, "filler"))
}

// fill leaves so many bytes on the disk.
func (r *room) fill(left int64) {
	r.w.Helper()
	file, err := os.OpenFile(r.filler(), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		r.w.Fatal(err)
	}
	defer file.Close()
	for chunk := 1 << 20; chunk > 0; {
		if _, err = file.Write(make([]byte, chunk)); err != nil {
			chunk /= 2
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		r.w.Fatal(err)
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err := errors.Join(err, file.Truncate(size-left)); err != nil {
		r.w.Fatal(err)
	}
}

// free gives the room back.
func (r *room) free() {
	r.w.Helper()
	if err := os.Remove(r.filler()); err != nil {
		r.w.Fatal(err)
	}
}
