package secret

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"filippo.io/age"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/keyfile"
)

// header binds a ciphertext to its place, so that files and rows cannot be
// exchanged for one another.
func header(v Version) []byte {
	return fmt.Appendf(nil, "fairlead secret 1 %s/%s/%d\n", v.Env, v.Name, v.Version)
}

// seal encrypts a value for its place.
func seal(identity *age.HybridIdentity, v Version, value []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := age.Encrypt(&b, identity.Recipient())
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(append(header(v), value...)); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// unseal decrypts a value and checks its place.
func unseal(identity *age.HybridIdentity, v Version, cipher []byte) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(cipher), identity)
	if err != nil {
		return nil, err
	}
	head := header(v)
	text, err := io.ReadAll(io.LimitReader(r, int64(len(head))+MaxValue+1))
	if err != nil {
		return nil, err
	}
	value, ok := bytes.CutPrefix(text, head)
	if !ok || len(value) > MaxValue {
		return nil, errors.New("it is the ciphertext of another secret")
	}
	return value, nil
}

// readKey reads the vault's identity from file. It makes one where there is none
// and mayMake, durably, and never over one that is there.
func readKey(file string, mayMake bool) (*age.HybridIdentity, error) {
	const op = "open the secret vault"
	text, err := keyfile.Read(file)
	if errors.Is(err, fs.ErrNotExist) {
		if !mayMake {
			return nil, fairlead.Errorf(fairlead.Corrupt, op, "there are secrets, but their key %s is missing", file).
				WithHint("bring the key back from where you keep it; without it the secrets must be set again in a new vault")
		}
		text, err = keyfile.ReadOrMake(file, newKey)
	}
	if errors.Is(err, keyfile.ErrExposed) {
		return nil, fairlead.Errorf(fairlead.Forbidden, op, "%w", err).
			WithHint("chmod 600 %s; if others could have read it, set every secret again", file)
	}
	if err != nil {
		return nil, fairlead.Errorf(fairlead.Internal, op, "%w", err)
	}
	identity, err := age.ParseHybridIdentity(strings.TrimSpace(string(text)))
	if err != nil {
		// Without the cause, which could quote the key.
		return nil, fairlead.Errorf(fairlead.Corrupt, op, "%s does not hold a key", file).
			WithHint("bring the key back from where you keep it; without it the secrets must be set again in a new vault")
	}
	return identity, nil
}

func newKey() ([]byte, error) {
	identity, err := age.GenerateHybridIdentity()
	if err != nil {
		return nil, err
	}
	return []byte(identity.String() + "\n"), nil
}
