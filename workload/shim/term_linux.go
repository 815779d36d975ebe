package shim

import (
	"errors"
	"io/fs"
	"path/filepath"
	"sync"

	"github.com/fairlead/fairlead"
)

// NewestTerm returns the newest term that this runtime has taken orders of, or 0.
// A control plane begins a later one, also where its own records are older, as
// after a backup was restored.
func (r *Runtime) NewestTerm() (uint64, error) {
	newest, err := r.terms.newest()
	return newest, wrap("read the runtime's newest term", err)
}

// BeginTerm refuses all orders of terms before term from now on.
func (r *Runtime) BeginTerm(term uint64) error {
	return wrap("begin a term", r.terms.admit(fairlead.Order{Term: term}))
}

// terms keep the newest term of a runtime in a file. They are safe for concurrent use.
type terms struct {
	file string
	mu   sync.Mutex // held while the file is read or written
}

func newTerms(root string) *terms { return &terms{file: filepath.Join(root, "term.json")} }

func (t *terms) newest() (uint64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.read()
}

// admit refuses an order of a term that is over, whatever it is about: a control
// plane that was replaced must not start what its successor removed.
func (t *terms) admit(order fairlead.Order) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	newest, err := t.read()
	if err != nil {
		return err
	}
	if order.Term < newest {
		return fairlead.Errorf(fairlead.Conflict, "", "order %s is of an earlier term than %d", order, newest)
	}
	if order.Term == newest {
		return nil
	}
	return WriteNote(t.file, order.Term)
}

func (t *terms) read() (newest uint64, err error) {
	if err = ReadNote(t.file, &newest); errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	var broken *fairlead.Error
	if errors.As(err, &broken) {
		err = broken.WithHint("remove %s: the next start takes the term of the ledger", t.file)
	}
	return newest, err
}
