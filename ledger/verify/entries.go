package verify

import (
	"context"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger"
)

// ref is a commitment of an entry to facts.
type ref struct {
	ledger.FactsRef
	seq uint64
}

// entries checks each leaf, grows the tree over them, and folds their rows into
// the state that they say.
func (r *run) entries(ctx context.Context) error {
	var newest, next uint64
	for _, m := range r.marks {
		if !m.outside {
			newest = m.Size
		}
	}
	r.reach()
	whole := true // no entry is missing so far
	for leaf, err := range r.src.Leaves(ctx) {
		if err != nil {
			return err
		}
		if leaf.Seq != next {
			whole = false
			r.found("entry", "entries %d to %d are missing", next, leaf.Seq-1)
		}
		next = leaf.Seq + 1
		r.result.Entries++
		hash := r.leaf(leaf)
		if whole {
			r.grow(leaf, hash)
			r.reach()
		}
		r.fold(leaf)
	}
	root := r.tree.Root()
	r.result.Root = root.String()
	if whole {
		r.beyond(newest)
	}
	return nil
}

// leaf compares an entry's commitment with the one that was stored. To go on it
// returns the stored one, so that a changed body is not described twice.
func (r *run) leaf(l ledger.Leaf) tlog.Hash {
	hash := ledger.Commit(l.Salt, l.Body).Hash()
	if len(l.Hashes) == 0 {
		r.found("tree", "entry %d has no hash", l.Seq)
		return hash
	}
	if l.Hashes[0] != hash {
		r.found("entry", "entry %d was changed: its body is not the one that was committed to", l.Seq)
	}
	return l.Hashes[0]
}

// grow appends a leaf and compares the hashes that it completes with those that
// are stored for proofs.
func (r *run) grow(l ledger.Leaf, hash tlog.Hash) {
	if hashes := r.tree.Append(hash); !r.bent && !slices.Equal(hashes, l.Hashes) && len(l.Hashes) > 0 {
		r.bent = true
		r.found("tree", "the stored hashes of entry %d do not follow from the entries up to it", l.Seq)
	}
}

// fold applies an entry's rows, and remembers the facts that it commits to.
func (r *run) fold(l ledger.Leaf) {
	e, err := ledger.Decode(l.Seq, l.Body)
	if err != nil {
		r.found("entry", "entry %d cannot be read: %v", l.Seq, err)
		return
	}
	for _, row := range e.Rows {
		r.set(row)
	}
	if f, ok := ledger.FactsRefOf(e.Data); ok {
		r.result.Commitments++
		r.refs[f.Stream] = append(r.refs[f.Stream], ref{f, l.Seq})
	}
}

func (r *run) set(row fairlead.Row) {
	id := rowID{row.Kind, row.Key}
	if row.Value == nil {
		delete(r.state, id)
		return
	}
	r.state[id] = row.Value
}
