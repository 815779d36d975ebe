package verify_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger"
	"github.com/fairlead/fairlead/ledger/verify"
)

// kept is a ledger in memory. Tampering with a real database is tested in
// store/sqlite; here are the cases that a database would not let through.
type kept struct {
	leaves  []ledger.Leaf
	notes   [][]byte
	rows    []fairlead.Row
	streams []ledger.FactsRef
	facts   []fairlead.Fact
	broken  error // ends the leaves
	key     string
}

func (k *kept) Leaves(context.Context) iter.Seq2[ledger.Leaf, error] {
	return func(yield func(ledger.Leaf, error) bool) {
		for _, l := range k.leaves {
			if !yield(l, nil) {
				return
			}
		}
		if k.broken != nil {
			yield(ledger.Leaf{}, k.broken)
		}
	}
}

func (k *kept) Checkpoints(context.Context) iter.Seq2[[]byte, error] { return list(k.notes) }
func (k *kept) State(context.Context) iter.Seq2[fairlead.Row, error] { return list(k.rows) }
func (k *kept) Streams(context.Context) iter.Seq2[ledger.FactsRef, error] {
	return list(k.streams)
}

func (k *kept) Facts(_ context.Context, stream string, from uint64) iter.Seq2[fairlead.Fact, error] {
	var found []fairlead.Fact
	for _, f := range k.facts {
		if f.Stream == stream && f.N >= from {
			found = append(found, f)
		}
	}
	return list(found)
}

func list[T any](items []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}

// keep writes entries into a new ledger with a checkpoint after each.
func keep(t *testing.T, entries ...fairlead.Entry) *kept {
	t.Helper()
	key, verifier, err := ledger.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ledger.NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	k := &kept{key: verifier}
	var tree ledger.Tree
	for i, e := range entries {
		e.Time, e.Principal = time.Unix(int64(i), 0), "system:test"
		body, _, err := ledger.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		salt := ledger.NewSalt()
		hashes := tree.Append(ledger.Commit(salt, body).Hash())
		k.leaves = append(k.leaves, ledger.Leaf{Seq: uint64(i), Salt: salt, Body: body, Hashes: hashes})
		signed, err := signer.Sign(&tree)
		if err != nil {
			t.Fatal(err)
		}
		k.notes = append(k.notes, signed)
	}
	return k
}

func check(t *testing.T, k *kept) verify.Result {
	t.Helper()
	r, err := verify.Check(t.Context(), k, verify.Options{VerifierKey: k.key})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAnEmptyLedgerVerifies(t *testing.T) {
	if r := check(t, keep(t)); !r.OK() || r.Entries != 0 {
		t.Errorf("%+v", r)
	}
}

func TestDecisionsThatRestOnTheSameOrNoFactsVerify(t *testing.T) {
	bodies := []string{"1", "2", "3"}
	digest := ledger.FactsStart("s")
	entries := []fairlead.Entry{rests("s", 0, digest)}
	var facts []fairlead.Fact
	for i, body := range bodies {
		digest = ledger.FactsNext(digest, []byte(body))
		facts = append(facts, fairlead.Fact{Stream: "s", N: uint64(i + 1), Body: []byte(body)})
		entries = append(entries, rests("s", uint64(i+1), digest), rests("s", uint64(i+1), digest))
	}
	k := keep(t, entries...)
	k.facts, k.streams = facts, []ledger.FactsRef{{Stream: "s", N: 3, Digest: digest}}
	if r := check(t, k); !r.OK() || r.Commitments != 7 || r.Facts != 3 {
		t.Errorf("%+v", r)
	}
	k.facts = k.facts[:2]
	k.streams[0] = ledger.FactsRef{Stream: "s", N: 2, Digest: ledger.FactsNext(ledger.FactsNext(ledger.FactsStart("s"), []byte("1")), []byte("2"))}
	want := `facts: entry 5 rests on 3 facts of "s", of which only 2 are there`
	if r := check(t, k); len(r.Findings) != 1 || r.Findings[0].String() != want {
		t.Errorf("a fact and its end taken away: %v", r.Findings)
	}
}

func rests(stream string, n uint64, digest fairlead.Digest) fairlead.Entry {
	return fairlead.Entry{Kind: "decided", Data: fmt.Appendf(nil, `{"facts":{"stream":%q,"n":%d,"digest":%q}}`, stream, n, digest)}
}

func TestALeafWithoutHashesIsFound(t *testing.T) {
	k := keep(t, fairlead.Entry{Kind: "a"}, fairlead.Entry{Kind: "b"})
	k.leaves[1].Hashes = nil
	if r := check(t, k); r.OK() || !strings.HasPrefix(r.Findings[0].String(), "tree: entry 1 has no hash") {
		t.Errorf("%v", r.Findings)
	}
}

func TestALedgerThatIsOnlyAMiddleIsFound(t *testing.T) {
	k := keep(t, fairlead.Entry{Kind: "a"}, fairlead.Entry{Kind: "b"}, fairlead.Entry{Kind: "c"})
	k.leaves = slices.Delete(k.leaves, 0, 2)
	if r := check(t, k); r.OK() || r.Findings[0].String() != "entry: entries 0 to 1 are missing" {
		t.Errorf("%v", r.Findings)
	}
}

func TestOnlyTheFirstFindingsAreDescribed(t *testing.T) {
	k := keep(t, fairlead.Entry{Kind: "a"})
	for i := range 50 {
		k.rows = append(k.rows, fairlead.Row{Kind: "k", Key: fmt.Sprintf("%02d", 49-i), Value: []byte(strings.Repeat("9", 500))})
	}
	r := check(t, k)
	if len(r.Findings) != 20 || r.More != 30 || r.OK() {
		t.Errorf("%d findings and %d more", len(r.Findings), r.More)
	}
	if got := r.Findings[0].Detail; !strings.HasPrefix(got, `row k "00": the ledger says that it does not exist, the table says 999`) || len(got) > 400 {
		t.Errorf("the first in order is %q", got)
	}
}

func TestASourceThatCannotBeReadIsAnErrorAndNoVerdict(t *testing.T) {
	k := keep(t, fairlead.Entry{Kind: "a"})
	k.broken = errors.New("the disk is gone")
	if _, err := verify.Check(t.Context(), k, verify.Options{VerifierKey: k.key}); !errors.Is(err, k.broken) {
		t.Errorf("%v", err)
	}
	if _, err := verify.Check(t.Context(), k, verify.Options{VerifierKey: "none"}); fairlead.CodeOf(err) != fairlead.Invalid || fairlead.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
}
