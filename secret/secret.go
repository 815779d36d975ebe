// Package secret keeps the secrets of each environment: encrypted at rest with age
// (a hybrid of X25519 and ML-KEM-768), versioned, and recorded without their
// values.
//
// A version's value is encrypted once into a file named by the digest of the
// ciphertext, which is different each time even for equal values. The file is
// durable before the ledger says that the version exists; a crash between the two
// leaves a file that nobody names, which [Vault.Sweep] removes. The ledger holds
// names, versions, times and ciphertext digests: never a value nor a hash of one.
//
// The key is in a file of its own, mode 0600, which belongs in no ordinary backup:
// whoever has it and the vault's directory has every secret.
package secret

import (
	"fmt"
	"regexp"
	"time"

	"github.com/fairlead/fairlead"
)

const (
	// MaxValue is the most bytes of a value.
	MaxValue = 64 << 10
	// Row is the kind of the state rows that hold versions, by "env/name/version".
	Row = "secret"
)

// Version is one version of a secret, without its value. It is the value of its
// state row.
type Version struct {
	Env     string          `json:"env"`
	Name    string          `json:"name"`
	Version int             `json:"version"` // from 1; numbers are never used again
	Created time.Time       `json:"created"`
	Removed time.Time       `json:"removed,omitzero"` // when its ciphertext was destroyed
	Cipher  fairlead.Digest `json:"cipher,omitempty"` // of the ciphertext; empty once removed
}

// Key returns the key of v's row. Keys of one secret sort by version.
func (v Version) Key() string { return rowKey(v.Env, v.Name, v.Version) }

func rowKey(env, name string, version int) string {
	return fmt.Sprintf("%s/%s/%06d", env, name, version)
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

// ValidName reports whether s can name a secret: at most 64 letters, digits, "_",
// "." and "-", beginning with a letter or digit. It is also the name of the file
// that an instance reads.
func ValidName(s string) bool { return nameForm.MatchString(s) }

func checkNames(op, env, name string) error {
	if !fairlead.ValidName(env) {
		return fairlead.Errorf(fairlead.Invalid, op, "%.80q cannot name an environment", env)
	}
	if !ValidName(name) {
		return fairlead.Errorf(fairlead.Invalid, op, "%.80q cannot name a secret", name).
			WithHint("use at most 64 letters, digits, _, . and -")
	}
	return nil
}

// command is what a person runs to set a secret.
func command(env, name string) string {
	return fmt.Sprintf("fairlead secret set %s --env %s", name, env)
}
