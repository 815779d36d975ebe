package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/fairlead/fairlead"
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

func (inv *invocation) ledgerProve() *cobra.Command {
	var open bool
	cmd := &cobra.Command{
		Use:   "prove ENTRY",
		Short: "Print the proof that an entry stands in the ledger",
		Long: `Prove prints as JSON the proof that the entry of a position stands in the ledger of
the newest checkpoint: its commitment, the path of hashes to the root, and the
signed checkpoint. That tells nothing of the entry, so that it can be shown to
anyone. With --open it also has the entry as it is kept, with its salt, so that
who checks it sees what was recorded; personal texts in it stay sealed.`,
		Example: "  fairlead ledger prove 57 > entry-57.json\n  fairlead ledger prove 57 --open",
		Args:    exactly("ENTRY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return inv.proveEntry(cmd.Context(), args[0], open)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().BoolVar(&open, "open", false, "with the entry and its salt")
	return cmd
}

func (inv *invocation) proveEntry(ctx context.Context, arg string, open bool) error {
	op := "ledger prove " + arg
	seq, err := strconv.ParseUint(arg, 10, 62)
	if err != nil {
		return fairlead.Errorf(fairlead.Invalid, op, "%q is not a position in the ledger", arg).WithHint("positions count from 0; see them with: fairlead events")
	}
	dir, err := inv.localOnly("ledger prove")
	if err != nil {
		return err
	}
	proof, err := inv.wiring.Prove(ctx, dir, seq)
	if err != nil {
		return during(op, err)
	}
	if !open {
		proof.Salt, proof.Body = nil, ""
	}
	data, err := json.MarshalIndent(proof, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the proof: %w", err)
	}
	_, err = fmt.Fprintf(inv.std.Out, "%s\n", data)
	return err
}

func (inv *invocation) ledgerCheck() *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Check the proof of one entry, without a server or a state directory",
		Long: `Check follows the path of a proof from the entry's commitment to the root that the
ledger's key has signed. FILE comes from "fairlead ledger prove", the console or
GET /v1/ledger/entries/N. Take the key from a place that you trust, not from who
gave you the proof. Where the file has the entry opened, that it is the one
committed to is checked too.`,
		Example: "  fairlead ledger check entry-57.json --key ledger.vkey",
		Args:    exactly("FILE"),
		RunE:    func(_ *cobra.Command, args []string) error { return inv.checkProof(args[0], key) },
	}
	cmd.Flags().StringVar(&key, "key", "", "`file` with the ledger's verifier key, from a place that you trust")
	return cmd
}

func (inv *invocation) checkProof(file, keyFile string) error {
	op := "ledger check " + file
	if keyFile == "" {
		return fairlead.Errorf(fairlead.Invalid, op, "no key is given").
			WithHint("name the file of the ledger's verifier key with --key: ledger.vkey in the state directory, or your own copy of it")
	}
	key, err := readSmall(keyFile)
	if err != nil {
		return during(op, err)
	}
	data, err := readSmall(file)
	if err != nil {
		return during(op, err)
	}
	var p Proof
	if err := json.Unmarshal(data, &p); err != nil {
		return fairlead.Errorf(fairlead.Invalid, op, "it is no proof: %w", err).WithHint("make one with: fairlead ledger prove ENTRY")
	}
	checked := p.Check(string(key))
	err = inv.show(checked, func(w io.Writer) error { return checked.write(w) })
	if err == nil && !checked.Holds {
		return exitError(ExitFailed)
	}
	return err
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

// mostRead bounds what is read of a file: a proof holds at most an entry's body, escaped.
const mostRead = 64 << 20

// readSmall reads a file that somebody gave.
func readSmall(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fairlead.Errorf(fairlead.Invalid, "", "%w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, mostRead+1))
	if err == nil && len(data) > mostRead {
		err = fmt.Errorf("%s is larger than %d bytes", name, mostRead)
	}
	if err != nil {
		return nil, fairlead.Errorf(fairlead.Invalid, "", "%w", err)
	}
	return data, nil
}
