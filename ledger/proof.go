package ledger

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/fairlead/fairlead"
)

// Inclusion proves that an entry stands at Seq in the ledger of a checkpoint. It
// shows neither the entry's body nor its salt; who holds both can compute the
// commitment and see that it is this one.
type Inclusion struct {
	Seq        uint64
	Commitment Commitment
	Path       []tlog.Hash // tlog.RecordProof
	Checkpoint []byte      // the signed note
}

// Check returns what the proof's checkpoint says if the proof holds under the
// ledger's verifier key, or an error of code corrupt.
func (p Inclusion) Check(verifierKey string) (Checkpoint, error) {
	c, err := OpenCheckpoint(p.Checkpoint, verifierKey)
	if err != nil {
		return c, err
	}
	if p.Seq >= c.Size {
		return c, fairlead.Errorf(fairlead.Corrupt, "check a proof", "entry %d is not among the %d of its checkpoint", p.Seq, c.Size)
	}
	if err := tlog.CheckRecord(p.Path, int64(c.Size), c.Root, int64(p.Seq), p.Commitment.Hash()); err != nil {
		return c, fairlead.Errorf(fairlead.Corrupt, fmt.Sprintf("check the proof of entry %d", p.Seq), "%w", err)
	}
	return c, nil
}

// Step is one hash of a proof's path, and what it makes of the hash before it.
type Step struct {
	Sibling tlog.Hash
	Left    bool      // the sibling stands to the left
	Sum     tlog.Hash // of both: the node above
}

// Steps follows the path from the leaf towards the root of a tree of size leaves, for
// people to read: Check decides (RFC 9162, section 2.1.3.2). Where the proof holds the
// last sum is the root.
func (p Inclusion) Steps(size uint64) []Step {
	steps := make([]Step, 0, len(p.Path))
	if p.Seq >= size {
		return steps
	}
	sum, at, last := p.Commitment.Hash(), p.Seq, size-1
	for _, sibling := range p.Path {
		left := at&1 == 1 || at == last
		if left {
			for ; at&1 == 0 && at > 0; at, last = at>>1, last>>1 {
			}
			sum = tlog.NodeHash(sibling, sum)
		} else {
			sum = tlog.NodeHash(sum, sibling)
		}
		steps = append(steps, Step{Sibling: sibling, Left: left, Sum: sum})
		at, last = at>>1, last>>1
	}
	return steps
}

// Consistency proves that a ledger of New entries begins with the ledger of Old
// entries: that nothing was changed or taken away between the two.
type Consistency struct {
	Old, New uint64
	Path     []tlog.Hash // tlog.TreeProof
}

// Check returns nil if the proof leads from old to new, or an error of code
// corrupt. Both checkpoints must have been opened with the ledger's key.
func (p Consistency) Check(old, new Checkpoint) error {
	const op = "check that the ledger only grew"
	switch {
	case old.Origin != new.Origin:
		return fairlead.Errorf(fairlead.Corrupt, op, "%q and %q are different ledgers", old.Origin, new.Origin)
	case p.Old != old.Size || p.New != new.Size || old.Size > new.Size:
		return fairlead.Errorf(fairlead.Corrupt, op, "the proof leads from %d to %d entries, not from %d to %d", p.Old, p.New, old.Size, new.Size)
	case old.Size == 0:
		return nil // everything begins with nothing
	}
	if err := tlog.CheckTree(p.Path, int64(new.Size), new.Root, int64(old.Size), old.Root); err != nil {
		return fairlead.Errorf(fairlead.Corrupt, op, "%w", err)
	}
	return nil
}
