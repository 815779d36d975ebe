package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/store/sqlite"
)

// provenEntries returns the proofs of a ledger's entries, opened, and the ledger's key.
func provenEntries(t *testing.T) (proofs []Proof, key string) {
	t.Helper()
	dir := t.TempDir()
	store, err := sqlite.Open(dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	for _, kind := range []string{"a.b", "c.d", "e.f"} {
		entry := fairlead.Entry{Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Kind: kind, Principal: "system:test"}
		if _, err := store.Commit(t.Context(), fairlead.Change{Entries: []fairlead.Entry{entry}}); err != nil {
			t.Fatal(err)
		}
	}
	reader, err := sqlite.OpenReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	for seq := range uint64(3) {
		inclusion, leaf, err := reader.Inclusion(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		proofs = append(proofs, NewProof(inclusion, leaf, store.VerifierKey()))
	}
	return proofs, store.VerifierKey()
}

func TestAProofHoldsAndOpensItsOwnEntry(t *testing.T) {
	proofs, key := provenEntries(t)
	for seq, kind := range []string{"a.b", "c.d", "e.f"} {
		c := proofs[seq].Check(key)
		if !c.Holds || !c.Opened || c.Problem != "" || c.Kind != kind || c.Seq != uint64(seq) || c.Size != 3 || c.Root == "" {
			t.Errorf("entry %d: %+v", seq, c)
		}
		closed := proofs[seq]
		closed.Salt, closed.Body = nil, ""
		if c := closed.Check(key); !c.Holds || c.Opened {
			t.Errorf("entry %d without its salt and body: %+v", seq, c)
		}
	}
}

func TestAProofThatWasChangedDoesNotHold(t *testing.T) {
	proofs, key := provenEntries(t)
	_, stranger := provenEntries(t)
	for name, change := range map[string]func(p *Proof){
		"of another entry":            func(p *Proof) { p.Entry.Seq = 0 },
		"of an entry that is to come": func(p *Proof) { p.Entry.Seq = 3 },
		"with another's body":         func(p *Proof) { p.Body = proofs[2].Body },
		"with another's salt":         func(p *Proof) { p.Salt = proofs[2].Salt },
		"with a body without salt":    func(p *Proof) { p.Salt = nil },
		"with a salt without body":    func(p *Proof) { p.Body = "" },
		"with another's commitment":   func(p *Proof) { p.Commitment = proofs[2].Commitment },
		"with half a commitment":      func(p *Proof) { p.Commitment = p.Commitment[:16] },
		"with a short hash":           func(p *Proof) { p.Path[0].Hash = p.Path[0].Hash[:31] },
		"with a long hash":            func(p *Proof) { p.Path[0].Hash = append(p.Path[0].Hash[:32:32], 0) },
		"with a hash of nothing":      func(p *Proof) { p.Path[0].Hash = nil },
		"without a hash":              func(p *Proof) { p.Path = p.Path[1:] },
		"with a hash too many":        func(p *Proof) { p.Path = append(p.Path, p.Path[0]) },
		"without a checkpoint":        func(p *Proof) { p.Checkpoint = "" },
	} {
		p := proofs[1]
		p.Path = append([]ProofHash(nil), p.Path...)
		change(&p)
		if c := p.Check(key); c.Holds || c.Opened || c.Problem == "" {
			t.Errorf("a proof %s: %+v", name, c)
		}
	}
	if c := proofs[1].Check(stranger); c.Holds || c.Opened {
		t.Errorf("under another ledger's key: %+v", c)
	}
}

func TestWhatACheckFoundIsSaidInWords(t *testing.T) {
	for want, c := range map[string]Checked{
		"the proof does NOT hold: it is another\n": {Problem: "it is another", Opened: true},
		"holds: entry 1 stands in the ledger of 3 entries\nledger fairlead/x, root r\nopened: it is c.d of 2026-03-01 12:00:00 UTC, as recorded\n": {
			Holds: true, Seq: 1, Size: 3, Ledger: "fairlead/x", Root: "r", Opened: true, Kind: "c.d", Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)},
		"holds: entry 1 stands in the ledger of 3 entries\nledger fairlead/x, root r\nnot opened: the proof is of the entry's commitment; words beside it are not checked\n": {
			Holds: true, Seq: 1, Size: 3, Ledger: "fairlead/x", Root: "r"},
	} {
		var out strings.Builder
		if err := c.write(&out); err != nil || out.String() != want {
			t.Errorf("it says %q, want %q, %v", out.String(), want, err)
		}
	}
}
