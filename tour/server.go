package tour

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

const logName = "up.log"

// server is `fairlead up` as a child process, in a process group of its own so
// that Ctrl-C reaches the tour alone, which then ends the server in order.
type server struct {
	cmd      *exec.Cmd
	stateDir string
	exited   chan struct{} // closed when the process has ended
	log      *os.File
}

// startServer starts it; engine is where a container engine listens, or "".
func startServer(program, dir, stateDir, engine string) (*server, error) {
	log, err := os.OpenFile(filepath.Join(dir, logName), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the server's log: %w", err)
	}
	// The instances are releases of our own example, so that the tour may also run
	// where the kernel gives no mount namespace.
	args := []string{"up", "--state", stateDir, "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--allow-unsandboxed"}
	if engine != "" {
		args = append(args, "--engine", engine)
	}
	cmd := exec.Command(program, args...)
	cmd.Env = environment()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		log.Close()
		return nil, fmt.Errorf("start fairlead up: %w", err)
	}
	s := &server{cmd: cmd, stateDir: stateDir, exited: make(chan struct{}), log: log}
	go func() {
		_ = cmd.Wait() // why it ended is in its log
		close(s.exited)
	}()
	return s, nil
}

// environment is ours without what would point the commands at another server.
func environment() []string {
	var kept []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "FAIRLEAD_") {
			kept = append(kept, v)
		}
	}
	return kept
}

// answer waits until the server answers.
func (s *server) answer(ctx context.Context, c *client.Client) (client.Version, error) {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		asked := c
		if token := client.ReadToken(s.stateDir); token != "" {
			asked = c.WithToken(token)
		}
		v, err := asked.Version(ctx)
		if err == nil && v.Gateway != "" {
			return v, nil
		}
		select {
		case <-s.exited:
			return v, fairlead.Errorf(fairlead.Unavailable, "tour", "fairlead up ended at once: %s", s.cmd.ProcessState)
		case <-ctx.Done():
			return v, fairlead.Errorf(fairlead.Unavailable, "tour", "the server does not answer: %w", errors.Join(ctx.Err(), err))
		case <-ticker.C:
		}
	}
}

// end ends the server with all instances and its gateway: in order if it can,
// and by force what is left. It has time of its own, for ctx may be over.
func (s *server) end(ctx context.Context, c *client.Client) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endingTime)
	defer cancel()
	defer s.log.Close()
	err := c.Shutdown(ctx, true)
	if err != nil {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
	}
	select {
	case <-s.exited:
	case <-ctx.Done():
		err = fairlead.Errorf(fairlead.Unavailable, "tour", "the server did not end within %s", endingTime)
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
	if left := sweep(s.stateDir); left > 0 && err == nil {
		err = fairlead.Errorf(fairlead.Internal, "tour", "%d processes had to be killed at the end", left)
	}
	return err
}

// sweep kills the processes whose command line names the tour's own state
// directory, which no other process has reason to, and returns how many.
func sweep(stateDir string) int {
	killed := 0
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline") // nothing where there is no /proc
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(line, []byte(stateDir)) {
			continue
		}
		var pid int
		if _, err := fmt.Sscanf(file, "/proc/%d/cmdline", &pid); err != nil || pid == os.Getpid() {
			continue
		}
		if syscall.Kill(pid, syscall.SIGKILL) == nil {
			killed++
		}
	}
	return killed
}

// run runs a command of program and returns its standard output. A failure
// carries what it wrote as its error.
func run(ctx context.Context, program string, args []string) ([]byte, error) {
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = environment()
	cmd.Stdout, cmd.Stderr = &out, &errOut
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err == nil || out.Len() > 0 && errOut.Len() == 0 {
		return out.Bytes(), nil // what it found is in its answer, such as "not verified"
	}
	var failed struct {
		Error struct {
			Code      fairlead.Code `json:"code"`
			Operation string        `json:"operation"`
			Message   string        `json:"message"`
			Hint      string        `json:"hint"`
		} `json:"error"`
	}
	if json.Unmarshal(errOut.Bytes(), &failed) != nil || failed.Error.Code == "" {
		return nil, fmt.Errorf("fairlead %s: %w: %.500s", args[0], err, errOut.Bytes())
	}
	e := failed.Error
	return nil, &fairlead.Error{Code: e.Code, Op: e.Operation, Err: errors.New(e.Message), Hint: e.Hint}
}
