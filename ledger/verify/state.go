package verify

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
)

type rowID struct{ kind, key string }

// difference is a row on which entries and table disagree.
type difference struct {
	rowID
	ledger, table string
}

// compareState compares the state that the entries say with the one that is in
// force, and describes the differences in the order of kind and key.
func (r *run) compareState(ctx context.Context) error {
	var list []difference
	for row, err := range r.src.State(ctx) {
		if err != nil {
			return err
		}
		r.result.Rows++
		id := rowID{row.Kind, row.Key}
		said, ok := r.state[id]
		delete(r.state, id)
		switch {
		case !ok:
			list = append(list, difference{id, "that it does not exist", excerpt(row.Value)})
		case !bytes.Equal(said, row.Value):
			list = append(list, difference{id, excerpt(said), excerpt(row.Value)})
		}
	}
	for id, said := range r.state {
		list = append(list, difference{id, excerpt(said), "that it does not exist"})
	}
	slices.SortFunc(list, func(a, b difference) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.key, b.key))
	})
	for _, d := range list {
		r.found("state", "row %s %q: the ledger says %s, the table says %s", d.kind, d.key, d.ledger, d.table)
	}
	return nil
}

// excerpt returns the beginning of a value, for people.
func excerpt(value []byte) string {
	const most = 200
	if len(value) <= most {
		return string(value)
	}
	return fmt.Sprintf("%s... (%d bytes)", bytes.ToValidUTF8(value[:most], nil), len(value))
}
