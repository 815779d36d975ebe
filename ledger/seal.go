package ledger

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/fairlead/fairlead"
)

// Sealer keeps one key for each subject, a person, and seals personal texts with
// it. Destroying the key erases every text that it sealed, wherever it stands,
// and leaves every hash over the sealed form valid. It is safe for concurrent use.
type Sealer interface {
	// Seal returns text in a form that only subject's key opens, making the key
	// durable first if it is new. An erased subject begins anew under another id.
	Seal(ctx context.Context, subject, text string) (fairlead.Sealed, error)
	// Open returns the text, or Erased where its key is gone. Texts of the
	// system's own ("system:...") come back as they are.
	Open(ctx context.Context, s fairlead.Sealed) (string, error)
	// Erased reports whether the key of s is gone, so that no text can be
	// mistaken for an erased one.
	Erased(ctx context.Context, s fairlead.Sealed) (bool, error)
	// Erase destroys subject's key for ever. It is durable when it returns nil.
	// A subject that is not known is no error: there is nothing to erase.
	Erase(ctx context.Context, subject string) error
}

// Erased stands for a personal text whose key was destroyed.
const Erased = "[erased]"

const (
	systemPrefix = "system:"
	sealedPrefix = "sealed:v1:"
	maxSealed    = 64 << 10 // bytes of a sealed text
)

// SubjectID names a subject without telling who it is: 32 lower-case hexadecimal
// digits, random.
type SubjectID string

// NewSubjectID returns a random id.
func NewSubjectID() SubjectID {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails (crypto/rand)
	return SubjectID(hex.EncodeToString(id))
}

// SealingKey is the AES-256 key of one subject.
type SealingKey [32]byte

// NewSealingKey returns a random key.
func NewSealingKey() SealingKey {
	var k SealingKey
	_, _ = rand.Read(k[:]) // never fails (crypto/rand)
	return k
}

// Seal encrypts text with AES-256-GCM under a random 96-bit nonce, bound to id.
// The form is "sealed:v1:<id>:<base64url of nonce and ciphertext>". Its length
// shows the text's.
func (k SealingKey) Seal(id SubjectID, text string) (fairlead.Sealed, error) {
	head := sealedPrefix + string(id) + ":"
	if base64.RawURLEncoding.EncodedLen(len(text)+28)+len(head) > maxSealed {
		return "", fairlead.Errorf(fairlead.Invalid, "seal a text", "%d bytes are too long", len(text))
	}
	box := k.aead().Seal(nil, nil, []byte(text), []byte(head))
	return fairlead.Sealed(head + base64.RawURLEncoding.EncodeToString(box)), nil
}

// Open decrypts s. The error has code corrupt and does not show the text.
func (k SealingKey) Open(s fairlead.Sealed) (string, error) {
	p, err := ParseSealed(s)
	if err != nil {
		return "", err
	}
	text, err := k.aead().Open(nil, nil, p.box, []byte(sealedPrefix+string(p.ID)+":"))
	if err != nil {
		return "", fairlead.Errorf(fairlead.Corrupt, "open a sealed text", "it was changed, or its key was")
	}
	return string(text), nil
}

func (k SealingKey) aead() cipher.AEAD {
	block, err := aes.NewCipher(k[:])
	if err != nil {
		panic(fmt.Sprintf("a 32-byte AES key is refused: %v", err)) // cannot happen
	}
	a, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(fmt.Sprintf("AES is refused by GCM: %v", err)) // cannot happen
	}
	return a
}

// SealedParts is a sealed text taken apart.
type SealedParts struct {
	ID  SubjectID // whose key opens it; the same id is the same subject
	box []byte
}

// ParseSealed takes a sealed text apart without opening it. Anything but the
// exact form is an error of code invalid.
func ParseSealed(s fairlead.Sealed) (SealedParts, error) {
	p, err := parseSealed(string(s))
	if err != nil {
		return p, fairlead.Errorf(fairlead.Invalid, "read a sealed text", "%w", err)
	}
	return p, nil
}

func parseSealed(s string) (SealedParts, error) {
	rest, ok := strings.CutPrefix(s, sealedPrefix)
	if !ok || len(s) > maxSealed {
		return SealedParts{}, errors.New("it does not have the form sealed:v1:subject:ciphertext")
	}
	id, code, ok := strings.Cut(rest, ":")
	raw, err := hex.DecodeString(id)
	if !ok || err != nil || len(raw) != 16 || strings.ToLower(id) != id {
		return SealedParts{}, errors.New("it names no subject")
	}
	box, err := base64.RawURLEncoding.Strict().DecodeString(code)
	if err != nil || len(box) < 28 || strings.ContainsAny(code, "\r\n") {
		return SealedParts{}, errors.New("its ciphertext is malformed")
	}
	return SealedParts{SubjectID(id), box}, nil
}

// IsSystem reports whether s is a plain text of the system's own.
func IsSystem(s fairlead.Sealed) bool { return strings.HasPrefix(string(s), systemPrefix) }
