package readiness

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/keyfile"
)

// Signer signs evidence with an Ed25519 key. It is safe for concurrent use.
type Signer struct{ private ed25519.PrivateKey }

// Public returns the key that verifies what s signs.
func (s *Signer) Public() ed25519.PublicKey { return s.private.Public().(ed25519.PublicKey) }

// KeyID returns the name of a key: the SHA-256 of its 32 bytes in hexadecimal.
func KeyID(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:])
}

// OpenSigner reads the key in file (PKCS #8 in PEM, as openssl writes it) and makes
// one, durably and with mode 0600, where there is no such file. A key that others
// may read is refused with code forbidden.
func OpenSigner(file string) (*Signer, error) {
	const op = "open the evidence key"
	text, err := keyfile.ReadOrMake(file, newKey)
	if errors.Is(err, keyfile.ErrExposed) {
		return nil, fairlead.Errorf(fairlead.Forbidden, op, "%w", err).
			WithHint("chmod 600 %s; if others could have read it, remove it: gates then run again", file)
	}
	if err != nil {
		return nil, fairlead.Errorf(fairlead.Internal, op, "%w", err)
	}
	private, ok := parseKey(text)
	if !ok {
		return nil, fairlead.Errorf(fairlead.Corrupt, op, "%s does not hold a key of the kind Ed25519", file).
			WithHint("remove %s: the next start makes another, and gates run again", file)
	}
	return &Signer{private: private}, nil
}

func parseKey(text []byte) (ed25519.PrivateKey, bool) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, false
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := key.(ed25519.PrivateKey)
	return private, ok && err == nil
}

func newKey() ([]byte, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}
