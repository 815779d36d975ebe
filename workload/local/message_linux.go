package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/reach"
)

// setup is what a shim tells its shim-init, once, over standard input: the
// instance as it is inside. It holds the secrets, so it reaches no disk.
type setup struct {
	Name       string            `json:"name"`       // host name inside
	Namespaces bool              `json:"namespaces"` // false: an ordinary process
	Stage      string            `json:"stage"`      // empty directory for the new root
	Dir        string            `json:"dir"`        // outside
	Writable   bool              `json:"writable"`
	Command    []string          `json:"command"`
	Env        []string          `json:"env"`
	Port       int               `json:"port"` // 0 for a job
	Reach      []reach.Rule      `json:"reach"`
	UID        int               `json:"uid"` // the app's, inside: 0 or 1000
	Required   []string          `json:"required"`
	Processes  int               `json:"processes"` // RLIMIT_NPROC, 0 for none
	Shm        int64             `json:"shm"`       // bytes in /dev/shm
	Secrets    map[string][]byte `json:"secrets"`
	SecretDir  string            `json:"secretDir"` // inside
	Volumes    []workload.Volume `json:"volumes,omitempty"`
	Devices    given             `json:"devices,omitzero"`
	Cgroups    int               `json:"cgroups"`           // descriptors of cgroup.procs files that follow the others
	Without    []string          `json:"without,omitempty"` // protections to leave out; set by tests only
}

// leavesOut reports whether a test wants the sandbox without a protection.
func (s setup) leavesOut(name string) bool { return slices.Contains(s.Without, name) }

// tempSize is how many bytes fit into /tmp.
func (s setup) tempSize() int64 {
	if s.Writable {
		return workload.BuildTempSize
	}
	return workload.TempSize
}

// Descriptors of a shim-init.
const (
	initControl = 3 // the channel to the shim
	initDial    = 4 // the listening dial.sock
	initCgroups = 5 // and on
)

// command is what a shim asks of its shim-init.
type command struct {
	Do     string `json:"do"` // "start", "signal" (to the app), "kill" (everything but shim-init)
	Signal int    `json:"signal,omitempty"`
}

// ready is the kind of a shim-init's first event: with its protections, and a
// listener for each reach rule.
const ready = "ready"

// channel carries messages, each a packet, between a shim and its shim-init.
// One goroutine may send while another receives.
type channel struct{ conn *net.UnixConn }

// mostMessage bounds a packet, mostPassed the descriptors that come with it.
const (
	mostMessage = 64 << 10
	mostPassed  = 64
)

// newChannel returns a channel and the file of its other end, for a child.
func newChannel() (*channel, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	other := os.NewFile(uintptr(fds[1]), "channel")
	c, err := channelOf(os.NewFile(uintptr(fds[0]), "channel"))
	if err != nil {
		return nil, nil, errors.Join(err, other.Close())
	}
	return c, other, nil
}

// channelOf makes a channel of file, which it closes.
func channelOf(file *os.File) (*channel, error) {
	conn, err := net.FileConn(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	return &channel{conn.(*net.UnixConn)}, nil
}

func (c *channel) send(message any, passed ...int) error {
	data, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if len(data) > mostMessage || len(passed) > mostPassed {
		return fmt.Errorf("message of %d bytes and %d descriptors is too long", len(data), len(passed))
	}
	var rights []byte
	if len(passed) > 0 {
		rights = unix.UnixRights(passed...)
	}
	_, _, err = c.conn.WriteMsgUnix(data, rights, nil)
	return err
}

// receive reads a message. The caller owns the files.
func (c *channel) receive(message any) ([]*os.File, error) {
	data := make([]byte, mostMessage)
	control := make([]byte, unix.CmsgSpace(4*mostPassed))
	n, oobn, _, _, err := c.conn.ReadMsgUnix(data, control)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, io.EOF
	}
	files, err := passedFiles(control[:oobn])
	if err == nil {
		err = json.Unmarshal(data[:n], message)
	}
	if err != nil {
		closeAll(files)
		return nil, err
	}
	return files, nil
}

func passedFiles(control []byte) ([]*os.File, error) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil, err
	}
	var files []*os.File
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return files, err
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "passed"))
		}
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, file := range files {
		file.Close()
	}
}
