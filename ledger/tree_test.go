package ledger_test

import (
	"fmt"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger"
)

// full is a tree that keeps every stored hash, in tlog's own order.
type full []tlog.Hash

func (f full) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var list []tlog.Hash
	for _, i := range indexes {
		list = append(list, f[i])
	}
	return list, nil
}

func leafHash(n uint64) tlog.Hash {
	return ledger.Commit(ledger.Salt{}, fmt.Appendf(nil, "%d", n)).Hash()
}

func TestATreeIsTlogs(t *testing.T) {
	var tree ledger.Tree
	var all full
	for n := range uint64(600) {
		want, err := tlog.TreeHash(int64(n), all)
		if err != nil || tree.Root() != want || tree.Size() != n {
			t.Fatalf("root of %d is %s, want %s, %v", n, tree.Root(), want, err)
		}
		loaded, err := ledger.LoadTree(n, all)
		if err != nil || loaded.Root() != want {
			t.Fatalf("loaded root of %d is %s, want %s, %v", n, loaded.Root(), want, err)
		}
		hashes, err := tlog.StoredHashesForRecordHash(int64(n), leafHash(n), all)
		if err != nil {
			t.Fatal(err)
		}
		if got := tree.Append(leafHash(n)); !slices.Equal(got, hashes) {
			t.Fatalf("leaf %d completes %v, want %v", n, got, hashes)
		}
		all = append(all, hashes...)
		if got := loaded.Append(leafHash(n)); !slices.Equal(got, hashes) {
			t.Fatalf("loaded, leaf %d completes %v, want %v", n, got, hashes)
		}
	}
}

func TestAHashStandsWithTheLeafThatCompletesIt(t *testing.T) {
	var index int64
	var tree ledger.Tree
	for n := range uint64(300) {
		for level := range tree.Append(leafHash(n)) {
			if seq, l := ledger.Holder(index); seq != n || l != level {
				t.Fatalf("hash %d stands with leaf %d at %d, want %d at %d", index, seq, l, n, level)
			}
			index++
		}
	}
}

// grown returns a tree of n leaves with all its hashes and its checkpoint.
func grown(t testing.TB, n uint64, signer *ledger.Signer) (full, []byte) {
	var tree ledger.Tree
	var all full
	for i := range n {
		all = append(all, tree.Append(leafHash(i))...)
	}
	signed, err := signer.Sign(&tree)
	if err != nil {
		t.Fatal(err)
	}
	return all, signed
}

func newKey(t testing.TB) (*ledger.Signer, string) {
	t.Helper()
	key, verifier, err := ledger.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ledger.NewSigner(key + "\n")
	if err != nil {
		t.Fatal(err)
	}
	if derived, err := ledger.VerifierOf(key); err != nil || derived != verifier {
		t.Errorf("the verifier key is %q, want %q, %v", derived, verifier, err)
	}
	return signer, verifier
}

func TestProofsHoldForWhatTheyProveAndNothingElse(t *testing.T) {
	signer, verifier := newKey(t)
	_, stranger := newKey(t)
	rapid.Check(t, func(r *rapid.T) {
		size := rapid.Uint64Range(1, 200).Draw(r, "size")
		seq := rapid.Uint64Range(0, size-1).Draw(r, "seq")
		all, signed := grown(t, size, signer)
		path, err := tlog.ProveRecord(int64(size), int64(seq), all)
		if err != nil {
			r.Fatal(err)
		}
		p := ledger.Inclusion{Seq: seq, Commitment: ledger.Commit(ledger.Salt{}, fmt.Appendf(nil, "%d", seq)), Path: path, Checkpoint: signed}
		if _, err := p.Check(verifier); err != nil {
			r.Fatalf("a true proof: %v", err)
		}
		for name, forge := range map[string]func(*ledger.Inclusion){
			"another body":  func(p *ledger.Inclusion) { p.Commitment[0]++ },
			"another salt":  func(p *ledger.Inclusion) { p.Commitment = ledger.Commit(ledger.Salt{1}, fmt.Appendf(nil, "%d", seq)) },
			"another place": func(p *ledger.Inclusion) { p.Seq++ },
			"a longer path": func(p *ledger.Inclusion) { p.Path = append(slices.Clone(p.Path), tlog.Hash{}) },
		} {
			forged := p
			forge(&forged)
			if _, err := forged.Check(verifier); fairlead.CodeOf(err) != fairlead.Corrupt || err == nil {
				r.Errorf("%s: %v", name, err)
			}
		}
		if _, err := p.Check(stranger); err == nil {
			r.Error("a stranger's key holds")
		}
	})
}

func TestGrowthIsProvedAndAForkIsNot(t *testing.T) {
	signer, verifier := newKey(t)
	open := func(signed []byte) ledger.Checkpoint {
		c, err := ledger.OpenCheckpoint(signed, verifier)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	all, signed := grown(t, 100, signer)
	newest := open(signed)
	for size := range uint64(100) {
		_, signed := grown(t, size, signer)
		old := open(signed)
		p := ledger.Consistency{Old: size, New: 100}
		if size > 0 {
			var err error
			if p.Path, err = tlog.ProveTree(100, int64(size), all); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Check(old, newest); err != nil {
			t.Errorf("from %d: %v", size, err)
		}
		old.Root[0]++
		if err := p.Check(old, newest); size > 0 && err == nil {
			t.Errorf("a fork at %d is proved", size)
		}
		if err := p.Check(newest, old); err == nil {
			t.Errorf("shrinking to %d is proved", size)
		}
	}
}

func TestTheStepsOfAProofLeadFromTheLeafToTheRoot(t *testing.T) {
	var tree ledger.Tree
	var all full
	for size := uint64(1); size <= 130; size++ {
		all = append(all, tree.Append(leafHash(size-1))...)
		for seq := range size {
			path, err := tlog.ProveRecord(int64(size), int64(seq), all)
			if err != nil {
				t.Fatal(err)
			}
			p := ledger.Inclusion{Seq: seq, Commitment: ledger.Commit(ledger.Salt{}, fmt.Appendf(nil, "%d", seq)), Path: path}
			at := p.Commitment.Hash()
			for _, step := range p.Steps(size) {
				want := tlog.NodeHash(at, step.Sibling)
				if step.Left {
					want = tlog.NodeHash(step.Sibling, at)
				}
				if at = step.Sum; at != want {
					t.Fatalf("entry %d of %d: a sum is not that of its two", seq, size)
				}
			}
			if at != tree.Root() {
				t.Fatalf("entry %d of %d: the steps lead to %s, the root is %s", seq, size, at, tree.Root())
			}
		}
	}
}

func TestStepsOfAPathThatIsTooLongOrOfNoEntryEnd(t *testing.T) {
	p := ledger.Inclusion{Seq: 3, Path: make([]tlog.Hash, 100)}
	for _, size := range []uint64{0, 3, 4, 5} {
		if got := len(p.Steps(size)); got != 0 && got != 100 {
			t.Errorf("of %d: %d steps", size, got)
		}
	}
}

func TestAProofOfAnEntryThatIsNotInTheTreeHasNoSteps(t *testing.T) {
	p := ledger.Inclusion{Seq: 5, Path: make([]tlog.Hash, 3)}
	for _, size := range []uint64{0, 5} {
		if steps := p.Steps(size); len(steps) != 0 {
			t.Errorf("entry 5 of %d has %d steps", size, len(steps))
		}
	}
	if steps := p.Steps(6); len(steps) != 3 {
		t.Errorf("entry 5 of 6 has %d steps, want 3", len(steps))
	}
}
