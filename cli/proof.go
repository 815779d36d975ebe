package cli

import (
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/fairlead/fairlead/ledger"
)

// Proof is a proof that an entry stands in the ledger, as a file: of `fairlead ledger
// prove`, or of GET /v1/ledger/entries/{seq}, which has more fields but neither salt nor
// body. Bytes are base64.
type Proof struct {
	Entry      ProvenEntry `json:"entry"`
	Commitment []byte      `json:"commitment"`
	Path       []ProofHash `json:"path"`       // from the leaf to the root
	Checkpoint string      `json:"checkpoint"` // the signed note
	Key        string      `json:"key"`        // the ledger's verifier key, as its server says
	Salt       []byte      `json:"salt,omitempty"`
	Body       string      `json:"body,omitempty"` // the entry as it is kept: with the salt it opens the commitment
}

// ProvenEntry says which entry a proof is of.
type ProvenEntry struct {
	Seq uint64 `json:"seq"`
}

// ProofHash is one hash of a path.
type ProofHash struct {
	Hash []byte `json:"hash"`
}

// NewProof returns a proof as a file, opened: with the entry's salt and body.
func NewProof(proof ledger.Inclusion, leaf ledger.Leaf, key string) Proof {
	p := Proof{
		Entry: ProvenEntry{proof.Seq}, Commitment: proof.Commitment[:], Path: []ProofHash{}, Checkpoint: string(proof.Checkpoint), Key: key,
		Salt: leaf.Salt[:], Body: string(leaf.Body),
	}
	for _, hash := range proof.Path {
		p.Path = append(p.Path, ProofHash{hash[:]})
	}
	return p
}

// Checked is what `fairlead ledger check` found.
type Checked struct {
	Holds   bool      `json:"holds"`
	Problem string    `json:"problem,omitempty"`
	Seq     uint64    `json:"seq"`
	Ledger  string    `json:"ledger,omitempty"` // its origin
	Size    uint64    `json:"size"`             // entries that the checkpoint covers
	Root    string    `json:"root,omitempty"`
	Opened  bool      `json:"opened"` // salt and body are there, and are what the commitment is of
	Kind    string    `json:"kind,omitempty"`
	Time    time.Time `json:"time,omitzero"`
}

// Check checks p under a verifier key, from its bytes alone.
func (p Proof) Check(key string) Checked {
	c := Checked{Seq: p.Entry.Seq}
	inclusion, err := p.inclusion()
	if err == nil {
		var at ledger.Checkpoint
		at, err = inclusion.Check(key)
		c.Ledger, c.Size = at.Origin, at.Size
		if at.Size > 0 {
			c.Root = at.Root.String()
		}
	}
	if err == nil && (p.Body != "" || len(p.Salt) > 0) {
		err = p.open(&c, inclusion.Commitment)
	}
	if c.Holds = err == nil; err != nil {
		c.Problem = err.Error()
	}
	return c
}

// open compares the entry with what was committed to.
func (p Proof) open(c *Checked, commitment ledger.Commitment) error {
	if len(p.Salt) != len(ledger.Salt{}) || ledger.Commit(ledger.Salt(p.Salt), []byte(p.Body)) != commitment {
		return errors.New("the entry in the file is not the one that was committed to")
	}
	e, err := ledger.Decode(p.Entry.Seq, []byte(p.Body))
	c.Opened, c.Kind, c.Time = err == nil, e.Kind, e.Time
	return err
}

func (p Proof) inclusion() (ledger.Inclusion, error) {
	i := ledger.Inclusion{Seq: p.Entry.Seq, Checkpoint: []byte(p.Checkpoint)}
	if len(p.Commitment) != len(i.Commitment) {
		return i, fmt.Errorf("its commitment has %d bytes, not %d", len(p.Commitment), len(i.Commitment))
	}
	i.Commitment = ledger.Commitment(p.Commitment)
	for n, hash := range p.Path {
		if len(hash.Hash) != tlog.HashSize {
			return i, fmt.Errorf("hash %d of its path has %d bytes, not %d", n+1, len(hash.Hash), tlog.HashSize)
		}
		i.Path = append(i.Path, tlog.Hash(hash.Hash))
	}
	return i, nil
}

func (c Checked) write(w io.Writer) error {
	if !c.Holds {
		_, err := fmt.Fprintf(w, "the proof does NOT hold: %s\n", c.Problem)
		return err
	}
	_, err := fmt.Fprintf(w, "holds: entry %d stands in the ledger of %d entries\nledger %s, root %s\n", c.Seq, c.Size, c.Ledger, c.Root)
	if err != nil {
		return err
	}
	if c.Opened {
		_, err = fmt.Fprintf(w, "opened: it is %s of %s, as recorded\n", c.Kind, c.Time.UTC().Format(time.DateTime+" UTC"))
	} else {
		_, err = fmt.Fprintln(w, "not opened: the proof is of the entry's commitment; words beside it are not checked")
	}
	return err
}
