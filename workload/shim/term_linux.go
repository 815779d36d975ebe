package shim

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/fairlead/fairlead"
)

// NewestTerm returns the newest term that this runtime has taken orders of, or 0.
// A control plane begins a later one, also where its own records are older, as
// after a backup was restored.
func (r *Runtime) NewestTerm() (uint64, error) {
	r.terms.Lock()
	defer r.terms.Unlock()
	newest, err := r.readTerm()
	return newest, wrap("read the runtime's newest term", err)
}

// BeginTerm refuses all orders of terms before term from now on.
func (r *Runtime) BeginTerm(term uint64) error {
	return wrap("begin a term", r.admit(fairlead.Order{Term: term}))
}

func (r *Runtime) termFile() string { return filepath.Join(r.config.Root, "term.json") }

func (r *Runtime) readTerm() (newest uint64, err error) {
	if err = ReadNote(r.termFile(), &newest); errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	var broken *fairlead.Error
	if errors.As(err, &broken) {
		err = broken.WithHint("remove %s: the next start takes the term of the ledger", r.termFile())
	}
	return newest, err
}
