package ledger

import (
	"crypto/rand"
	"crypto/sha256"

	"golang.org/x/mod/sumdb/tlog"
)

// Salt hides a body that could be guessed from its commitment.
type Salt [16]byte

// NewSalt returns a random salt.
func NewSalt() Salt {
	var s Salt
	_, _ = rand.Read(s[:]) // never fails (crypto/rand)
	return s
}

// Commitment binds an entry's body without showing it.
type Commitment [sha256.Size]byte

const leafPrefix = "fairlead entry v1\n"

// Commit returns SHA-256("fairlead entry v1\n" || salt || body).
func Commit(salt Salt, body []byte) Commitment {
	h := sha256.New()
	h.Write([]byte(leafPrefix))
	h.Write(salt[:])
	h.Write(body)
	return Commitment(h.Sum(nil))
}

// Hash returns the commitment's leaf hash in the tree (RFC 6962, section 2.1).
func (c Commitment) Hash() tlog.Hash { return tlog.RecordHash(c[:]) }

// Leaf is an entry as a store keeps it.
type Leaf struct {
	Seq    uint64
	Salt   Salt
	Body   []byte
	Hashes []tlog.Hash // the stored hashes that it completes, its own first
}
