package tour

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// person sits at a terminal.
type person struct {
	keyboard *os.File
	mu       sync.Mutex
	seen     bytes.Buffer
}

// sit starts the tour at a new terminal.
func sit(t *testing.T) (*person, *exec.Cmd) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal can be made here: %v", err)
	}
	t.Cleanup(func() { ours.Close() })
	number, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	err = errors.Join(err, unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0),
		unix.IoctlSetWinsize(int(ours.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 100}))
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "tour", "--no-color")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, theirs
	cmd.Env = append(os.Environ(), "TERM=xterm", "LC_ALL=C.UTF-8", "TOUR_TEST_SPEED=30")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &person{keyboard: ours}
	go p.look() // ends with the terminal
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return p, cmd
}

func (p *person) look() {
	part := make([]byte, 4096)
	for {
		n, err := p.keyboard.Read(part)
		p.mu.Lock()
		p.seen.Write(part[:n])
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// sees waits until a text was shown some times.
func (p *person) sees(t *testing.T, text string, times int) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		p.mu.Lock()
		seen := p.seen.String()
		p.mu.Unlock()
		if strings.Count(seen, text) >= times {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%q was not shown %d times in\n%s", text, times, seen)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (p *person) presses(t *testing.T, key string) {
	t.Helper()
	if _, err := p.keyboard.WriteString(key); err != nil {
		t.Fatal(err)
	}
}

func TestAtATerminalTheConsoleStaysUntilItsUserQuits(t *testing.T) {
	for name, key := range map[string]string{"with Enter": "\r", "with q": "q", "with Ctrl-C": "\x03"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TMPDIR", shortTemp(t))
			p, cmd := sit(t)
			p.sees(t, "See it live in a browser:", 1)
			p.sees(t, "http://fairlead.localhost:1/login?code=once", 1)
			p.sees(t, "requests/s", 2) // it is drawn in place, not told in lines
			p.sees(t, "Everything ended as it should.", 1)
			p.sees(t, "The console is open until you quit", 1)
			p.presses(t, "xl") // x means nothing
			p.sees(t, "The console is open until you quit", 2)
			if servers, _ := filepath.Glob(os.Getenv("TMPDIR") + "/fairlead-tour-*/state/control.sock"); len(servers) != 1 {
				t.Errorf("while the user looks there is %q", servers)
			}
			p.presses(t, key)
			if err := cmd.Wait(); err != nil {
				t.Errorf("it ended with %v", err)
			}
			if left, _ := filepath.Glob(os.Getenv("TMPDIR") + "/fairlead-tour-*"); len(left) > 0 {
				t.Errorf("it leaves %q", left)
			}
			if left := sweep(os.Getenv("TMPDIR")); left > 0 {
				t.Errorf("%d processes were left", left)
			}
		})
	}
}
