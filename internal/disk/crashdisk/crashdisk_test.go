package crashdisk_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"syscall"
	"testing"

	"github.com/fairlead/fairlead/internal/atomicfile"
	"github.com/fairlead/fairlead/internal/disk"
	"github.com/fairlead/fairlead/internal/disk/crashdisk"
)

func chance(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// write makes a file with content and leaves it open.
func write(t *testing.T, d disk.Disk, path, content string) disk.File {
	t.Helper()
	f, err := d.Open(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		_, err = f.WriteAt([]byte(content), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// after returns every state that the file /f may have after a crash that follows
// work, "" when it is not there.
func after(t *testing.T, work func(d *crashdisk.Disk)) map[string]bool {
	t.Helper()
	states := map[string]bool{}
	for seed := range uint64(300) {
		d := crashdisk.New()
		work(d)
		d.Crash(chance(seed))
		data, err := disk.ReadFile(d, "/f")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		states[string(data)] = true
	}
	return states
}

func TestWithoutASyncACrashMayKeepAnything(t *testing.T) {
	states := after(t, func(d *crashdisk.Disk) { write(t, d, "/f", "abc") })
	for _, want := range []string{"", "a", "abc"} {
		if !states[want] {
			t.Errorf("never %q after a crash, only %v", want, states)
		}
	}
}

func TestASyncedFileWithoutItsDirectoryMayLoseItsName(t *testing.T) {
	states := after(t, func(d *crashdisk.Disk) {
		if err := write(t, d, "/f", "abc").Sync(); err != nil {
			t.Fatal(err)
		}
	})
	if len(states) != 2 || !states[""] || !states["abc"] {
		t.Errorf("states %v", states)
	}
}

func TestWhatWasSyncedStaysWhateverCameAfter(t *testing.T) {
	states := after(t, func(d *crashdisk.Disk) {
		f := write(t, d, "/f", "abc")
		if err := errors.Join(f.Sync(), d.SyncDir("/")); err != nil {
			t.Fatal(err)
		}
		for i, more := range []string{"d", "e"} {
			if _, err := f.WriteAt([]byte(more), int64(3+i)); err != nil {
				t.Fatal(err)
			}
		}
	})
	for _, want := range []string{"abc", "abcd", "abcde", "abc\x00", "abc\x00e"} {
		if !states[want] {
			t.Errorf("never %q after a crash, only %v", want, states)
		}
		delete(states, want)
	}
	if len(states) > 0 {
		t.Errorf("states that cannot be: %v", states)
	}
}

func TestAKillKeepsEverythingAndClosesFiles(t *testing.T) {
	d := crashdisk.New()
	f := write(t, d, "/f", "abc")
	d.Kill()
	if _, err := f.WriteAt([]byte("x"), 0); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a dead process wrote: %v", err)
	}
	if data, err := disk.ReadFile(d, "/f"); err != nil || string(data) != "abc" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestAnAtomicFileIsOldOrNewAfterACrashAnywhere(t *testing.T) {
	for stop := range 12 {
		for seed := range uint64(100) {
			d := crashdisk.New()
			if err := atomicfile.WriteTo(d, "/f", []byte("the old one"), 0o600); err != nil {
				t.Fatal(err)
			}
			left := stop
			d.Fail(func(crashdisk.Op, string) error {
				if left == 0 {
					return syscall.EIO
				}
				left--
				return nil
			})
			err := atomicfile.WriteTo(d, "/f", []byte("the new one, which is longer"), 0o600)
			d.Fail(nil)
			d.Crash(chance(seed))
			data, readErr := disk.ReadFile(d, "/f")
			if readErr != nil {
				t.Fatal(readErr)
			}
			if got := string(data); got != "the new one, which is longer" && (got != "the old one" || err == nil) {
				t.Fatalf("stopped at operation %d, seed %d: %q after %v", stop, seed, got, err)
			}
			if err := atomicfile.Sweep(d, "/"); err != nil {
				t.Fatal(err)
			}
			if names, err := d.List("/"); err != nil || !slices.Equal(names, []string{"f"}) {
				t.Fatalf("left %v, %v", names, err)
			}
		}
	}
}

func TestAFullDiskTakesABeginOfAWrite(t *testing.T) {
	d := crashdisk.New()
	f := write(t, d, "/f", "")
	d.Fail(func(op crashdisk.Op, path string) error {
		if op == crashdisk.OpWrite && path == "/f" {
			return &crashdisk.Short{Bytes: 2, Err: syscall.ENOSPC}
		}
		return nil
	})
	if n, err := f.WriteAt([]byte("abc"), 0); n != 2 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("wrote %d, %v", n, err)
	}
	if data, err := disk.ReadFile(d, "/f"); err != nil || string(data) != "ab" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestOneSeedMakesOneCrash(t *testing.T) {
	run := func() string {
		d := crashdisk.New()
		for i := range 20 {
			write(t, d, fmt.Sprintf("/d%d", i), "some content")
		}
		d.Crash(chance(7))
		names, err := d.List("/")
		if err != nil {
			t.Fatal(err)
		}
		var all bytes.Buffer
		for _, name := range names {
			data, err := disk.ReadFile(d, "/"+name)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&all, "%s=%q\n", name, data)
		}
		return all.String()
	}
	if first, second := run(), run(); first != second {
		t.Errorf("two crashes of seed 7:\n%s\n%s", first, second)
	}
}

// TestBothDisksAnswerAlike holds the simulated disk to the real one, where no
// crash comes.
func TestBothDisksAnswerAlike(t *testing.T) {
	for name, d := range map[string]disk.Disk{"os": disk.OS{}, "crashdisk": crashdisk.New()} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir() + "/a/b"
			if _, err := d.List(root); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a directory that is not there: %v", err)
			}
			if err := errors.Join(d.MkdirAll(root, 0o700), d.MkdirAll(root, 0o700)); err != nil {
				t.Fatal(err)
			}
			f := write(t, d, root+"/one", "hello")
			if _, err := f.WriteAt([]byte("!"), 7); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(f.Truncate(9), f.Chmod(0o600), f.Sync(), f.Close()); err != nil {
				t.Fatal(err)
			}
			if data, err := disk.ReadFile(d, root+"/one"); err != nil || string(data) != "hello\x00\x00!\x00" {
				t.Errorf("%q, %v", data, err)
			}
			if _, err := d.Open(root+"/one", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); !errors.Is(err, fs.ErrExist) {
				t.Errorf("an exclusive open of what is there: %v", err)
			}
			if _, err := d.Open(root+"/two", os.O_RDONLY, 0); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a file that is not there: %v", err)
			}
			if err := errors.Join(d.Link(root+"/one", root+"/two"), d.Rename(root+"/one", root+"/three"), d.SyncDir(root)); err != nil {
				t.Fatal(err)
			}
			if err := d.Link(root+"/two", root+"/three"); !errors.Is(err, fs.ErrExist) {
				t.Errorf("a link to a taken name: %v", err)
			}
			if names, err := d.List(root); err != nil || !slices.Equal(names, []string{"three", "two"}) {
				t.Errorf("names %v, %v", names, err)
			}
			if err := d.Remove(root); err == nil {
				t.Error("a directory with files was removed")
			}
			if err := errors.Join(d.Remove(root+"/two"), d.Remove(root+"/three"), d.Remove(root)); err != nil {
				t.Error(err)
			}
		})
	}
}
