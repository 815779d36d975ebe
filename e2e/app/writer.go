package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// writer is the only one that writes in a directory, as long as it lives: it holds a
// lock there, and notes in a journal who began, who ended, and who was refused.
type writer struct {
	lock, journal *os.File
}

// openWriter fails at once if another holds the lock of dir; dir "" is a writer that
// shares nothing.
func openWriter(dir string) (*writer, error) {
	if dir == "" {
		return &writer{}, nil
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	journal, err := os.OpenFile(filepath.Join(dir, "journal"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	w := &writer{lock, journal}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another writes in %s: %w", dir, err), w.note("refused"))
	}
	return w, w.note("began")
}

// flush is how long a writer still writes once nobody asks it any more, as a database does:
// who does not wait for its end meets it.
const flush = 2 * time.Second

// end ends in order.
func (w *writer) end() error {
	if w.journal == nil {
		return nil
	}
	time.Sleep(flush)
	return w.note("ended")
}

// note adds a line to the journal. The lock goes with the process.
func (w *writer) note(what string) error {
	_, err := fmt.Fprintln(w.journal, what, os.Getenv("FAIRLEAD_RELEASE"))
	return err
}
