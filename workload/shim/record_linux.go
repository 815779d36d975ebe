package shim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/atomicfile"
	"github.com/fairlead/fairlead/internal/disk"
	"github.com/fairlead/fairlead/workload"
)

// protocol is the version of the files and the socket of a shim. A newer program
// reads every older version.
const protocol = 1

// home is the directory of one instance or service.
type home string

func (h home) spec() string    { return filepath.Join(string(h), "spec.json") }
func (h home) record() string  { return filepath.Join(string(h), "state.json") }
func (h home) order() string   { return filepath.Join(string(h), "order.json") }
func (h home) lock() string    { return filepath.Join(string(h), "lock") }
func (h home) control() string { return filepath.Join(string(h), "shim.sock") }
func (h home) dial() string    { return filepath.Join(string(h), "dial.sock") }
func (h home) log() string     { return filepath.Join(string(h), "log") }
func (h home) shimLog() string { return filepath.Join(string(h), "shim.log") }

// root is the directory of a runtime, with a home for each instance, service and job.
type root string

func (r root) instances() string       { return filepath.Join(string(r), "instances") }
func (r root) services() string        { return filepath.Join(string(r), "services") }
func (r root) jobs() string            { return filepath.Join(string(r), "jobs") }
func (r root) instance(id string) home { return home(filepath.Join(r.instances(), id)) }
func (r root) service(id string) home  { return home(filepath.Join(r.services(), id)) }
func (r root) job(id string) home      { return home(filepath.Join(r.jobs(), id)) }

// identity names one process of one boot of the machine for ever.
type identity struct {
	Pid   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks after boot, from /proc/PID/stat
	Boot  string `json:"boot"`
}

// self returns this process's identity.
func self() (identity, error) { return identify(os.Getpid()) }

func identify(pid int) (identity, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return identity{}, err
	}
	start, _, err := processStart(pid)
	return identity{Pid: pid, Start: start, Boot: strings.TrimSpace(string(boot))}, err
}

// alive reports whether the process runs; a zombie does not.
func (i identity) alive() bool {
	if i.Pid <= 0 {
		return false
	}
	now, err := identify(i.Pid)
	_, state, stateErr := processStart(i.Pid)
	return err == nil && stateErr == nil && now == i && state != 'Z' && state != 'X'
}

// processStart reads when a process started and its state letter.
func processStart(pid int) (start uint64, state byte, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	_, rest, ok := strings.Cut(string(data[strings.LastIndexByte(string(data), ')')+1:]), " ") // the name may hold anything
	fields := strings.Fields(rest)
	if !ok || len(fields) < 20 {
		return 0, 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	start, err = strconv.ParseUint(fields[19], 10, 64)
	return start, fields[0][0], err
}

// record is the content of state.json: what a shim last said of itself. It is
// durable before the transition that it tells of is visible to anyone.
type record[S any] struct {
	Protocol int      `json:"protocol"`
	Shim     identity `json:"shim"`
	Status   S        `json:"status"`
}

func readRecord[S any](h home) (record[S], error) {
	var r record[S]
	err := ReadNote(h.record(), &r)
	if fairlead.CodeOf(err) == fairlead.Corrupt {
		var known *fairlead.Error
		errors.As(err, &known)
		return r, known.WithHint("end the processes of %s if there are any, then remove that directory", h)
	}
	if err == nil && r.Protocol > protocol {
		return r, fairlead.Errorf(fairlead.Unsupported, "", "%s is of protocol %d, this program knows up to %d", h.record(), r.Protocol, protocol).
			WithHint("run the newer Fairlead that wrote it, or end what it started with that one: fairlead down")
	}
	return r, err
}

// WriteNote writes v as JSON, durably: the file holds its old content or all of v.
func WriteNote(path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return atomicfile.Write(path, data, 0o600)
}

// ReadNote reads what WriteNote wrote. A file that is not there is fs.ErrNotExist; one
// that is not whole is code corrupt.
func ReadNote(path string, v any) error {
	data, err := disk.ReadFile(disk.OS{}, path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fairlead.Errorf(fairlead.Corrupt, "", "%s: %w", path, err)
	}
	return nil
}

// died is the status of an instance whose shim is gone though it was not over.
func died(s workload.Status) workload.Status {
	if !s.State.Over() {
		s.State, s.LastExit = workload.Exited, "its shim died"
	}
	return s
}

// lockHome takes the lock of an instance that exists, waiting for it. A home that
// was removed meanwhile is fs.ErrNotExist. Closing the file gives the lock up.
func lockHome(h home, create bool) (*os.File, error) {
	flags := os.O_RDWR
	if create {
		flags |= os.O_CREATE
	}
	for {
		file, err := os.OpenFile(h.lock(), flags, 0o600)
		if err != nil {
			return nil, err
		}
		if err := flock(file); err != nil {
			return nil, errors.Join(err, file.Close())
		}
		var stat unix.Stat_t
		if err := unix.Fstat(int(file.Fd()), &stat); err == nil && stat.Nlink > 0 {
			return file, nil
		}
		file.Close() // removed while waiting
	}
}

func flock(file *os.File) error {
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// takeOrder records order as the newest of the home h, whose lock the caller
// holds, or refuses it with code conflict.
func takeOrder(h home, order fairlead.Order) error {
	if err := mayOrder(h, order); err != nil {
		return err
	}
	return WriteNote(h.order(), order)
}

// mayOrder is takeOrder without the record.
func mayOrder(h home, order fairlead.Order) error {
	var newest fairlead.Order
	if err := ReadNote(h.order(), &newest); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !order.After(newest) {
		return fairlead.Errorf(fairlead.Conflict, "", "order %s is not after %s, the newest taken", order, newest)
	}
	return nil
}
