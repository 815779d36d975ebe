package attack

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// readOrder reads the order beside the program. A doctor that runs planted it, and
// gave its nonce as an argument too: without both nothing is attacked.
func readOrder(nonce string) (o Order, err error) {
	program, err := os.Executable()
	if err != nil {
		return o, err
	}
	data, err := os.ReadFile(filepath.Join(filepath.Dir(program), OrderFile))
	if err != nil {
		return o, fmt.Errorf("no doctor runs: %w", err)
	}
	if err := json.Unmarshal(data, &o); err != nil {
		return o, err
	}
	if len(o.Nonce) < 16 || subtle.ConstantTimeCompare([]byte(nonce), []byte(o.Nonce)) != 1 {
		return o, errors.New("the order is not of the doctor that started this")
	}
	if time.Now().After(o.Until) { // the doctor was killed, and a shim starts this again
		return o, errors.New("the order has expired")
	}
	if o.Machine.Mount == "" || o.Machine.Pid == "" {
		return o, errors.New("the order does not say which namespaces are the machine's")
	}
	return o, nil
}

// Own returns the namespaces of this process.
func Own() (n Namespaces, err error) {
	var pidErr error
	n.Mount, err = os.Readlink("/proc/self/ns/mnt")
	n.Pid, pidErr = os.Readlink("/proc/self/ns/pid")
	return n, errors.Join(err, pidErr)
}

// outside says why nothing may be made here: a namespace that is, or may be, the
// machine's. It is "" in a sandbox.
func outside(machine Namespaces) string {
	own, err := Own()
	switch {
	case err != nil:
		return "cannot tell its namespaces: " + err.Error()
	case own.Mount == "" || own.Mount == machine.Mount:
		return "no mount namespace of its own"
	case own.Pid == "" || own.Pid == machine.Pid:
		return "no pid namespace of its own"
	}
	return ""
}
