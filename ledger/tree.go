package ledger

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/fairlead/fairlead"
)

// levels bounds the height of a tree: 2^48 entries are enough.
const levels = 48

// Tree is the growing edge of a Merkle tree: the roots of the full subtrees
// that make up its size, which is all that appending and signing need. It is a
// plain value: a copy is a snapshot. The zero Tree is empty.
type Tree struct {
	size uint64
	edge [levels]tlog.Hash // edge[l] is in use where bit l of size is set
}

// Size returns the number of leaves.
func (t *Tree) Size() uint64 { return t.size }

// Append adds a leaf and returns the hashes that it completes, by level, the
// leaf's own first. They are what tlog.StoredHashes would have a store keep.
func (t *Tree) Append(leaf tlog.Hash) []tlog.Hash {
	hashes, err := tlog.StoredHashesForRecordHash(int64(t.size), leaf, t)
	if err != nil {
		panic(fmt.Sprintf("the tree's edge lacks its own hashes: %v", err)) // cannot happen: ReadHashes never fails
	}
	t.size++
	t.edge[len(hashes)-1] = hashes[len(hashes)-1]
	return hashes
}

// Root returns the tree's root hash, the empty tree's included (RFC 6962).
func (t *Tree) Root() tlog.Hash {
	root, err := tlog.TreeHash(int64(t.size), t)
	if err != nil {
		panic(fmt.Sprintf("the tree's edge lacks its own hashes: %v", err)) // cannot happen: ReadHashes never fails
	}
	return root
}

// ReadHashes implements tlog.HashReader for the hashes on the edge.
func (t *Tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		level, _ := tlog.SplitStoredHashIndex(index)
		hashes[i] = t.edge[level]
	}
	return hashes, nil
}

// LoadTree reads the edge of a tree of size leaves from stored hashes, of which
// it asks for at most one a level.
func LoadTree(size uint64, r tlog.HashReader) (Tree, error) {
	t := Tree{size: size}
	if size >= 1<<levels {
		return t, fairlead.Errorf(fairlead.Corrupt, "read the ledger's tree", "no tree has %d leaves", size)
	}
	var used []int
	var indexes []int64
	for l := range levels {
		if size>>l&1 == 1 {
			used = append(used, l)
			indexes = append(indexes, tlog.StoredHashIndex(l, int64(size>>l-1)))
		}
	}
	hashes, err := r.ReadHashes(indexes)
	if err != nil {
		return t, err
	}
	for i, l := range used {
		t.edge[l] = hashes[i]
	}
	return t, nil
}

// Holder returns which leaf's Append returned the stored hash of index, and the
// level at which it stands there.
func Holder(index int64) (seq uint64, level int) {
	level, n := tlog.SplitStoredHashIndex(index)
	return uint64(n+1)<<level - 1, level
}
