package ledger

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/fairlead/fairlead"
)

// Checkpoint is what a signed note says of a ledger: this many entries, this root.
type Checkpoint struct {
	Origin string // which ledger, and the name of its key
	Size   uint64
	Root   tlog.Hash
}

// originPrefix begins the origin of every ledger.
const originPrefix = "fairlead.dev/ledger/"

// maxCheckpoint bounds a note with a fair number of cosignatures, in bytes.
const maxCheckpoint = 64 << 10

// NewKey makes the signing key of a new ledger with a random origin. signer is
// secret; verifier is what others check checkpoints with.
func NewKey() (signer, verifier string, err error) {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails (crypto/rand)
	return note.GenerateKey(rand.Reader, originPrefix+hex.EncodeToString(id))
}

// Signer signs checkpoints of one ledger. It is safe for concurrent use.
type Signer struct {
	signer note.Signer
}

// NewSigner reads a signing key as NewKey made it. The error never shows the key.
func NewSigner(key string) (*Signer, error) {
	s, err := note.NewSigner(strings.TrimSpace(key))
	if err != nil || !strings.HasPrefix(s.Name(), originPrefix) {
		return nil, fairlead.Errorf(fairlead.Corrupt, "read the ledger's signing key", "it is not one").
			WithHint("restore ledger.key from a backup")
	}
	return &Signer{s}, nil
}

// Origin returns which ledger s signs for.
func (s *Signer) Origin() string { return s.signer.Name() }

// Sign returns the signed checkpoint of t.
func (s *Signer) Sign(t *Tree) ([]byte, error) {
	root := t.Root()
	text := fmt.Sprintf("%s\n%d\n%s\n", s.Origin(), t.Size(), base64.StdEncoding.EncodeToString(root[:]))
	return note.Sign(&note.Note{Text: text}, s.signer)
}

// OpenCheckpoint checks that signed is a checkpoint of the ledger whose verifier
// key is given, signed by it, and returns what it says. Other signatures, such
// as a witness's, are allowed and not judged. Errors have code invalid for the
// key and corrupt for the note.
func OpenCheckpoint(signed []byte, verifierKey string) (Checkpoint, error) {
	v, err := note.NewVerifier(strings.TrimSpace(verifierKey))
	if err != nil {
		return Checkpoint{}, fairlead.Errorf(fairlead.Invalid, "read the ledger's verifier key", "%w", err)
	}
	c, err := openCheckpoint(signed, v)
	if err != nil {
		return Checkpoint{}, fairlead.Errorf(fairlead.Corrupt, "read a checkpoint", "%w", err)
	}
	return c, nil
}

func openCheckpoint(signed []byte, v note.Verifier) (Checkpoint, error) {
	if len(signed) > maxCheckpoint {
		return Checkpoint{}, fmt.Errorf("%d bytes are over the limit of %d", len(signed), maxCheckpoint)
	}
	n, err := note.Open(signed, note.VerifierList(v))
	if err != nil {
		return Checkpoint{}, err
	}
	lines := strings.Split(strings.TrimSuffix(n.Text, "\n"), "\n")
	if len(lines) < 3 {
		return Checkpoint{}, fmt.Errorf("it has %d lines, not origin, size and root", len(lines))
	}
	if lines[0] != v.Name() {
		return Checkpoint{}, fmt.Errorf("it is of %q, not of %q", lines[0], v.Name())
	}
	size, err := strconv.ParseUint(lines[1], 10, levels)
	if err != nil || strconv.FormatUint(size, 10) != lines[1] {
		return Checkpoint{}, fmt.Errorf("%q is not a size", lines[1])
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return Checkpoint{}, fmt.Errorf("%q is not a root", lines[2])
	}
	return Checkpoint{Origin: lines[0], Size: size, Root: tlog.Hash(root)}, nil
}

// VerifierOf returns the verifier key that belongs to a signing key.
func VerifierOf(signer string) (string, error) {
	s, err := NewSigner(signer)
	if err != nil {
		return "", err
	}
	parts := strings.SplitN(strings.TrimSpace(signer), "+", 5) // PRIVATE+KEY+name+hash+key, whose base64 may hold a +
	seed, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || len(seed) != 1+ed25519.SeedSize {
		return "", fairlead.Errorf(fairlead.Corrupt, "read the ledger's signing key", "it is not one")
	}
	public := ed25519.NewKeyFromSeed(seed[1:]).Public().(ed25519.PublicKey)
	return note.NewEd25519VerifierKey(s.Origin(), public)
}
