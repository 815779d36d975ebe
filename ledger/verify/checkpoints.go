package verify

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger"
)

// mark is a checkpoint whose signature holds.
type mark struct {
	ledger.Checkpoint
	outside bool // kept elsewhere
}

func (m mark) name() string {
	if m.outside {
		return "the witnessed checkpoint"
	}
	return "the checkpoint"
}

// checkpoints reads and opens all checkpoints. One that the key did not sign is
// a finding.
func (r *run) checkpoints(ctx context.Context) error {
	v, err := note.NewVerifier(strings.TrimSpace(r.o.VerifierKey))
	if err != nil {
		return fairlead.Errorf(fairlead.Invalid, "read the ledger's verifier key", "%w", err).
			WithHint("give the content of ledger.vkey")
	}
	r.result.Origin = v.Name()
	for signed, err := range r.src.Checkpoints(ctx) {
		if err != nil {
			return err
		}
		r.open(signed, false)
	}
	for _, signed := range r.o.Witnessed {
		r.open(signed, true)
	}
	slices.SortStableFunc(r.marks, func(a, b mark) int { return cmp.Compare(a.Size, b.Size) })
	return nil
}

func (r *run) open(signed []byte, outside bool) {
	m := mark{outside: outside}
	r.result.Checkpoints++
	if outside {
		r.result.Witnessed++
	}
	var err error
	if m.Checkpoint, err = ledger.OpenCheckpoint(signed, r.o.VerifierKey); err != nil {
		r.found("checkpoint", "%s number %d does not hold under this key: %v", m.name(), r.result.Checkpoints, err)
		return
	}
	r.marks = append(r.marks, m)
}

// reach compares the tree, grown to its present size, with the checkpoints of
// that size. The first that differs is described; the later ones then differ too.
func (r *run) reach() {
	for len(r.marks) > 0 && r.marks[0].Size == r.tree.Size() {
		m := r.marks[0]
		r.marks = r.marks[1:]
		if m.Root != r.tree.Root() && !r.forked {
			r.forked = true
			r.found("checkpoint", "the first %d entries are not those that %s signed", m.Size, m.name())
		}
	}
}

// beyond describes what the ledger's end and its newest checkpoints say of each other.
func (r *run) beyond(newest uint64) {
	for _, m := range r.marks {
		r.found("checkpoint", "the newest entries are gone: %s says %d, the ledger has %d", m.name(), m.Size, r.result.Entries)
	}
	if newest < r.result.Entries {
		r.found("checkpoint", "%d entries after entry %d are in no checkpoint", r.result.Entries-newest, newest)
	}
}
