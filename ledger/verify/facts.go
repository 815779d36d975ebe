package verify

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger"
)

// facts recomputes the running digest of every stream, and compares it with the
// stored end and with every entry that commits to the stream.
func (r *run) facts(ctx context.Context) error {
	for end, err := range r.src.Streams(ctx) {
		if err != nil {
			return err
		}
		r.result.Streams++
		refs := r.refs[end.Stream]
		delete(r.refs, end.Stream)
		if err := r.stream(ctx, end, refs); err != nil {
			return err
		}
	}
	for _, stream := range slices.Sorted(maps.Keys(r.refs)) {
		none := ledger.FactsRef{Stream: stream, Digest: ledger.FactsStart(stream)}
		if err := r.stream(ctx, none, r.refs[stream]); err != nil {
			return err
		}
	}
	return nil
}

// stream checks one stream of facts against its stored end and the entries' refs.
func (r *run) stream(ctx context.Context, end ledger.FactsRef, refs []ref) error {
	slices.SortStableFunc(refs, func(a, b ref) int { return cmp.Compare(a.N, b.N) })
	digest, n := ledger.FactsStart(end.Stream), uint64(0)
	refs = r.due(refs, n, digest)
	for f, err := range r.src.Facts(ctx, end.Stream, 1) {
		if err != nil {
			return err
		}
		if f.N != n+1 {
			r.found("facts", "facts %d to %d of %q are missing", n+1, f.N-1, end.Stream)
			return nil // no digest after a gap can hold
		}
		n, digest = f.N, ledger.FactsNext(digest, f.Body)
		r.result.Facts++
		refs = r.due(refs, n, digest)
	}
	if n != end.N {
		r.found("facts", "%q has %d facts, its stored end says %d", end.Stream, n, end.N)
	} else if digest != end.Digest {
		r.found("facts", "the facts of %q are not those whose digest is stored", end.Stream)
	}
	if len(refs) > 0 {
		r.found("facts", "entry %d rests on %d facts of %q, of which only %d are there", refs[0].seq, refs[0].N, end.Stream, n)
	}
	return nil
}

// due compares the refs to n facts with the digest after them, and returns the rest.
func (r *run) due(refs []ref, n uint64, digest fairlead.Digest) []ref {
	for ; len(refs) > 0 && refs[0].N == n; refs = refs[1:] {
		if refs[0].Digest != digest {
			r.found("facts", "entry %d rests on other facts of %q than the %d that are stored", refs[0].seq, refs[0].Stream, n)
		}
	}
	return refs
}
