package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/fairlead/fairlead/internal/atomicfile"
	"github.com/fairlead/fairlead/internal/disk"
)

const (
	journalMost = 4 << 20 // bytes; beyond it only the newest events are kept
	journalKeep = 2000    // how many
)

// The kinds of events.
const (
	eventStarted      = "started"
	eventLeaseExpired = "leaseExpired"
	eventEjected      = "ejected"
	eventRestored     = "restored"
	eventSpoolFull    = "spoolFull"
	eventLost         = "stateLost"
)

// journal is the file of events: what the gateway did alone. An event is on disk
// when add returns nil. It is safe for concurrent use.
type journal struct {
	disk disk.Disk
	path string

	mu     sync.Mutex
	file   disk.File
	size   int64
	last   uint64
	events []Event // the ones kept, oldest first
	owed   []Event // could not be written yet
}

// openJournal opens or makes the journal at path and leaves out a torn tail.
func openJournal(d disk.Disk, path string) (*journal, error) {
	file, err := d.Open(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	j := &journal{disk: d, path: path, file: file}
	j.size, err = scanFrames(file, func(_ int64, payload []byte) error {
		var e Event
		if json.Unmarshal(payload, &e) != nil || e.N <= j.last {
			return nil // not an event
		}
		j.events, j.last = append(j.events, e), e.N
		return nil
	})
	if err == nil {
		err = errors.Join(file.Truncate(j.size), d.SyncDir(filepath.Dir(path)))
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return j, nil
}

// add appends events, which it numbers. Those that cannot be written are owed: they
// come with the next ones, or with retry.
func (j *journal) add(events ...Event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range events {
		e.Time = e.Time.UTC().Round(0)
		j.owed = append(j.owed, e)
	}
	j.owed = j.owed[max(0, len(j.owed)-journalKeep):]
	return j.pay()
}

// retry writes what is owed.
func (j *journal) retry() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.pay()
}

// pay writes what is owed: all of it or nothing. It needs the lock.
func (j *journal) pay() error {
	if len(j.owed) == 0 {
		return nil
	}
	if j.size > journalMost {
		if err := j.shorten(); err != nil {
			return fmt.Errorf("shorten journal: %w", err)
		}
	}
	var frames []byte
	for i := range j.owed {
		j.owed[i].N = j.last + 1 + uint64(i)
		payload, err := json.Marshal(j.owed[i])
		if err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		frames = appendFrame(frames, payload)
	}
	if _, err := j.file.WriteAt(frames, j.size); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	j.size += int64(len(frames))
	j.last += uint64(len(j.owed))
	j.events, j.owed = append(j.events, j.owed...), nil
	return nil
}

// shorten rewrites the file with the newest events. It needs the lock.
func (j *journal) shorten() error {
	kept := append([]Event(nil), j.events[max(0, len(j.events)-journalKeep):]...)
	var data []byte
	for _, e := range kept {
		payload, err := json.Marshal(e)
		if err != nil {
			return err
		}
		data = appendFrame(data, payload)
	}
	if err := atomicfile.WriteTo(j.disk, j.path, data, 0o600); err != nil {
		return err
	}
	file, err := j.disk.Open(j.path, os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	old := j.file
	j.file, j.size, j.events = file, int64(len(data)), kept
	return old.Close()
}

// after returns the events with a number greater than n that are kept.
func (j *journal) after(n uint64) []Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := []Event{}
	for _, e := range j.events {
		if e.N > n {
			out = append(out, e)
		}
	}
	return out
}

// bytes returns the size of the file.
func (j *journal) bytes() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.size
}

func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.file.Close()
}
