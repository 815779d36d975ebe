package doctor

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/unixsock"
	"github.com/fairlead/fairlead/workload/local/doctor/attack"
)

// Stage is what is planted for one examination: a temporary directory, listeners on
// loopback, a segment of shared memory and decoy processes. It is for one goroutine.
type Stage struct {
	dir    string
	order  attack.Order // what is the same in every sandbox
	secret []byte       // of the other instance

	closers []func() error // in the order of their making
	serving sync.WaitGroup
}

// The folders of a stage's directory beside those of sandboxes.
const (
	stateFolder     = "state"
	neighbourFolder = "neighbour"
	outsideFolder   = "outside" // the decoys' program
	runFolder       = "run"     // the runtime's root
)

// lifetime is how long an examination may take: programs that are started later
// attack nothing.
const lifetime = 4 * patience

// programFile is the name of the attacker in each folder.
const programFile = "attacker"

// NewStage plants everything but what one sandbox has for itself. program is a
// binary whose main calls attack.Main. The caller closes the stage.
func NewStage(program string) (*Stage, error) {
	dir, err := os.MkdirTemp("", stagePrefix)
	if err != nil {
		return nil, fairlead.Errorf(fairlead.Unavailable, "", "%w", err).
			WithHint("set TMPDIR to a directory where this user may write and run programs")
	}
	s := &Stage{dir: dir}
	s.later(func() error { return os.RemoveAll(dir) })
	if err := s.hold(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	steps := []func() error{
		func() error { return os.Chmod(dir, 0o755) },
		s.begin,
		s.plantHome, func() error { return s.plantPrograms(program) }, s.plantState, s.plantListeners, s.plantMemory,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

func (s *Stage) later(f func() error) { s.closers = append(s.closers, f) }

// Close ends and removes all that was planted.
func (s *Stage) Close() error {
	var failed error
	for len(s.closers) > 0 {
		last := len(s.closers) - 1
		failed = errors.Join(failed, s.closers[last]())
		s.closers = s.closers[:last]
	}
	s.serving.Wait()
	return failed
}

// Run is the directory for a runtime.
func (s *Stage) Run() string { return filepath.Join(s.dir, runFolder) }

// begin fills in what the order says of the machine.
func (s *Stage) begin() error {
	machine, err := attack.Own()
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	var random [32]byte
	rand.Read(random[:])
	s.secret = []byte(attack.SecretPrefix + hex.EncodeToString(random[16:]))
	s.order = attack.Order{
		Nonce: hex.EncodeToString(random[:16]), Until: time.Now().Add(lifetime), Machine: machine, Host: host,
		State: filepath.Join(s.dir, stateFolder), Neighbour: filepath.Join(s.dir, neighbourFolder), Run: s.Run(),
	}
	return nil
}

// plantPrograms lays the attacker where decoys and another instance run it.
func (s *Stage) plantPrograms(program string) error {
	for _, folder := range []string{outsideFolder, neighbourFolder, stateFolder, "instance", "gate", "build"} {
		if err := makeOpen(filepath.Join(s.dir, folder)); err != nil {
			return err
		}
	}
	first := filepath.Join(s.dir, outsideFolder, programFile)
	if err := copyFile(program, first, 0o755); err != nil {
		return err
	}
	if err := os.Link(first, filepath.Join(s.dir, neighbourFolder, programFile)); err != nil {
		return err
	}
	return errors.Join(
		plant(filepath.Join(s.dir, neighbourFolder, attack.OwnFile), 0o666),
		s.writeOrder(outsideFolder, s.order), s.writeOrder(neighbourFolder, s.order))
}

// plantState makes a directory like a control plane's.
func (s *Stage) plantState() error {
	if err := errors.Join(
		plant(filepath.Join(s.order.State, attack.StateFile), 0o666),
		plant(filepath.Join(s.order.State, attack.TokenFile), 0o600)); err != nil {
		return err
	}
	for _, name := range []string{attack.APISocket, attack.GatewaySocket} {
		path := filepath.Join(s.order.State, name)
		listener, err := unixsock.Listen(path)
		if err != nil {
			return err
		}
		s.serve(listener)
		if err := os.Chmod(path, 0o777); err != nil {
			return err
		}
	}
	return nil
}

// plantHome plants a file in the home directory of the user, if there is one that
// can be written.
func (s *Stage) plantHome() error {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil
	}
	file, err := os.CreateTemp(home, "."+stagePrefix)
	if err != nil {
		return nil // such as /nonexistent: the attack says that it was not tried
	}
	s.later(func() error { return os.Remove(file.Name()) })
	s.order.Home = file.Name()
	_, err = file.WriteString(attack.Canary)
	return errors.Join(err, file.Chmod(0o644), file.Close())
}

// plantListeners listens on loopback and on an abstract socket.
func (s *Stage) plantListeners() error {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.serve(tcp)
	s.order.TCP = tcp.Addr().String()
	if tcp6, err := net.Listen("tcp", "[::1]:0"); err == nil { // not every machine has it
		s.serve(tcp6)
		s.order.TCP6 = tcp6.Addr().String()
	}
	s.order.Abstract = "@" + stagePrefix + s.order.Nonce
	abstract, err := net.Listen("unix", s.order.Abstract)
	if err != nil {
		return err
	}
	s.serve(abstract)
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.later(udp.Close)
	s.order.UDP = udp.LocalAddr().String()
	s.serving.Go(func() { echo(udp) })
	return nil
}

// serve accepts connections and closes them, until the stage closes.
func (s *Stage) serve(listener net.Listener) {
	s.later(listener.Close)
	s.serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	})
}

// echo answers each packet until it is closed.
func echo(conn net.PacketConn) {
	packet := make([]byte, 64)
	for {
		n, from, err := conn.ReadFrom(packet)
		if err != nil {
			return
		}
		conn.WriteTo(packet[:n], from) // one that is lost makes the attack fail, not the doctor
	}
}

// plantMemory makes a segment of shared memory that ends with this process at the
// latest: it is marked as removed while it is attached.
func (s *Stage) plantMemory() error {
	s.order.Memory = -1
	id, err := unix.SysvShmGet(unix.IPC_PRIVATE, os.Getpagesize(), unix.IPC_CREAT|0o666)
	if err != nil {
		return nil // the attack says that it was not tried
	}
	data, attachErr := unix.SysvShmAttach(id, 0, 0)
	_, err = unix.SysvShmCtl(id, unix.IPC_RMID, nil)
	if err := errors.Join(attachErr, err); err != nil {
		return err
	}
	s.later(func() error { return unix.SysvShmDetach(data) })
	s.order.Memory = id
	return nil
}

// writeOrder writes the order beside the program in a folder.
func (s *Stage) writeOrder(folder string, order attack.Order) error {
	data, err := json.Marshal(order)
	if err != nil {
		return err
	}
	return writeOpen(filepath.Join(s.dir, folder, attack.OrderFile), data, 0o644)
}

// plant writes a file that holds the canary.
func plant(path string, mode os.FileMode) error { return writeOpen(path, []byte(attack.Canary), mode) }

// writeOpen writes a file with a mode, whatever the umask.
func writeOpen(path string, data []byte, mode os.FileMode) error {
	return errors.Join(os.WriteFile(path, data, mode), os.Chmod(path, mode))
}

// makeOpen makes a directory that all may read.
func makeOpen(path string) error {
	return errors.Join(os.Mkdir(path, 0o755), os.Chmod(path, 0o755))
}

func copyFile(from, to string, mode os.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o700)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return errors.Join(fmt.Errorf("copy %s: %w", from, err), out.Close())
	}
	return errors.Join(out.Chmod(mode), out.Close())
}
