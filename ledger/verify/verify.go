// Package verify checks a whole ledger offline, from its bytes alone: that no
// entry was changed, added, moved or taken away, that every kept checkpoint was
// signed over exactly these entries, that state is what the entries say and
// nothing else, that the facts on which decisions rest are all there as they were,
// and that the place that keeps it all holds nothing besides. It trusts the
// verifier key that it is given, and nothing in the ledger.
//
// What it cannot see. Who can write the database and holds the signing key can
// write another ledger from the start. Who can write the database can put back
// an older moment of it, whole: its newest entries are gone, and everything that
// is left fits together. Both show against a checkpoint that was kept elsewhere
// (Options.Witnessed): give one to someone else from time to time.
// Facts that came after the newest decision on their stream are covered only by
// the stored end of the stream, which is not signed.
package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger"
)

// Source is a ledger to be verified, all of it of one moment. Sequences end
// after an error. A sequence may be asked for while another is being read.
type Source interface {
	// Leaves yields every entry, ordered by its place.
	Leaves(ctx context.Context) iter.Seq2[ledger.Leaf, error]
	// Checkpoints yields every signed note that is kept, in any order.
	Checkpoints(ctx context.Context) iter.Seq2[[]byte, error]
	// State yields every state row in force, in any order.
	State(ctx context.Context) iter.Seq2[fairlead.Row, error]
	// Streams yields where every stream of facts ends.
	Streams(ctx context.Context) iter.Seq2[ledger.FactsRef, error]
	// Facts yields the facts of a stream from position from on, ordered by N.
	Facts(ctx context.Context, stream string, from uint64) iter.Seq2[fairlead.Fact, error]
}

// Keeper is a Source that can tell of the place that keeps the ledger.
type Keeper interface {
	// Strange yields what is kept there besides the ledger, or says of it otherwise, in
	// words: none of it is covered by a signature.
	Strange(ctx context.Context) iter.Seq2[string, error]
}

// Options say what to verify against.
type Options struct {
	VerifierKey string   // the ledger's, from a place that is trusted
	Witnessed   [][]byte // signed checkpoints that were kept elsewhere; may be empty
	MaxFindings int      // how many findings to describe; 0 is 20
}

// Result says what was looked at and what was found wrong.
type Result struct {
	Origin      string    `json:"origin"`  // which ledger
	Root        string    `json:"root"`    // base64, of the tree over the entries; of those before the first that is missing
	Entries     uint64    `json:"entries"` // leaves that were checked
	Checkpoints int       `json:"checkpoints"`
	Witnessed   int       `json:"witnessed"` // of them, kept elsewhere
	Rows        int       `json:"rows"`      // state rows that were compared
	Streams     int       `json:"streams"`
	Facts       uint64    `json:"facts"`
	Commitments int       `json:"commitments"` // entries that commit to facts
	Findings    []Finding `json:"findings"`    // empty is good
	More        int       `json:"more"`        // findings beyond the limit
}

// OK reports whether nothing was found wrong.
func (r Result) OK() bool { return len(r.Findings) == 0 }

// Finding is one thing that is not as it was written.
type Finding struct {
	Check  string `json:"check"` // "entry", "checkpoint", "tree", "state", "facts" or "storage"
	Detail string `json:"detail"`
}

// String returns "check: detail".
func (f Finding) String() string { return f.Check + ": " + f.Detail }

// Check verifies all of src. What does not fit is a finding; an error means that
// src could not be read to its end, or that the key is not one.
func Check(ctx context.Context, src Source, o Options) (Result, error) {
	if o.MaxFindings <= 0 {
		o.MaxFindings = 20
	}
	r := &run{src: src, o: o, state: map[rowID]json.RawMessage{}, refs: map[string][]ref{}}
	r.result.Findings = []Finding{}
	for _, step := range []func(context.Context) error{r.checkpoints, r.entries, r.compareState, r.facts, r.storage} {
		if err := step(ctx); err != nil {
			return r.result, fmt.Errorf("verify the ledger: %w", err)
		}
	}
	return r.result, nil
}

// run is one verification under way.
type run struct {
	src    Source
	o      Options
	result Result
	marks  []mark // sorted by size
	tree   ledger.Tree
	forked bool                      // a checkpoint's root has been found to differ
	bent   bool                      // a stored hash has been found to differ
	state  map[rowID]json.RawMessage // as the entries say
	refs   map[string][]ref          // by stream
}

// storage takes over what the ledger's keeper says of itself.
func (r *run) storage(ctx context.Context) error {
	keeper, ok := r.src.(Keeper)
	if !ok {
		return nil
	}
	for what, err := range keeper.Strange(ctx) {
		if err != nil {
			return err
		}
		r.found("storage", "%s", what)
	}
	return nil
}

func (r *run) found(check, format string, args ...any) {
	if len(r.result.Findings) >= r.o.MaxFindings {
		r.result.More++
		return
	}
	r.result.Findings = append(r.result.Findings, Finding{check, fmt.Sprintf(format, args...)})
}
