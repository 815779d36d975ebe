package shim

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// assignment is the content of spec.json: exactly one of Instance and Service.
type assignment struct {
	Protocol int            `json:"protocol"`
	Instance *workload.Spec `json:"instance,omitempty"`
	Service  *Service       `json:"service,omitempty"`
	Plain    bool           `json:"plain,omitempty"` // Config.Plain
}

// Descriptors of a shim beside its standard input, which holds the secrets.
const (
	shimAnswer = 3 // "ok", or why it could not begin
	shimLock   = 4 // the lock of its home, held until it is supervised
)

// Main runs a shim with its arguments and returns its exit status. The program's main
// calls it before anything else when its first argument is [Name].
func Main(args []string, kinds Kinds) int {
	if err := run(args, kinds); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", Name, err)
		return 1
	}
	return 0
}

// run is a shim's life.
func run(args []string, kinds Kinds) error {
	flags := flag.NewFlagSet(Name, flag.ContinueOnError)
	dir := flags.String("dir", "", "home of the instance or service")
	if err := flags.Parse(args); err != nil {
		return err
	}
	unix.CloseOnExec(shimAnswer)
	unix.CloseOnExec(shimLock)
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGPIPE) // a terminal's end is not the instance's
	answer := os.NewFile(shimAnswer, "answer")
	lock := os.NewFile(shimLock, "lock")
	begun := func(err error) error {
		text := "ok"
		if err != nil {
			text = err.Error()
		}
		_, writeErr := answer.WriteString(text)
		return errors.Join(err, ignoreBroken(writeErr), answer.Close(), lock.Close())
	}
	h := home(*dir)
	var a assignment
	if err := ReadNote(h.spec(), &a); err != nil {
		return begun(err)
	}
	switch {
	case a.Protocol > protocol:
		return begun(fairlead.Errorf(fairlead.Unsupported, "", "%s is of protocol %d", h.spec(), a.Protocol))
	case a.Instance != nil:
		secrets, err := readSecrets(os.Stdin)
		if err != nil {
			return begun(err)
		}
		return superviseInstance(h, kinds, a, secrets, begun)
	case a.Service != nil:
		return superviseService(h, *a.Service, begun)
	default:
		return begun(fmt.Errorf("%s is empty", h.spec()))
	}
}

// ignoreBroken forgives that nobody waits for the answer any more: a control plane
// that died finds the instance later.
func ignoreBroken(err error) error {
	if errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return err
}

// writeSecretsTo hands secrets to a shim: the length of their JSON in four bytes,
// big-endian, and the JSON.
func writeSecretsTo(w io.Writer, secrets workload.Secrets) error {
	data, err := json.Marshal(secrets)
	if err != nil {
		return err
	}
	frame := append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...)
	defer clear(frame)
	defer clear(data)
	_, err = w.Write(frame)
	return err
}

// readSecrets reads what writeSecretsTo wrote. A frame that is not whole is an
// error: who writes it died.
func readSecrets(r io.Reader) (workload.Secrets, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, fmt.Errorf("read secrets: %w", err)
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > 2*mostSecrets {
		return nil, fmt.Errorf("secrets of %d bytes", n)
	}
	data := make([]byte, n)
	defer clear(data)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, fmt.Errorf("read secrets: %w", err)
	}
	var secrets workload.Secrets
	return secrets, json.Unmarshal(data, &secrets)
}
