// Package fairlead holds the nouns that every part of Fairlead shares: the App
// file, releases, environments, observation blocks, verdicts, ledger entries
// and errors. It imports the standard library only and holds no behaviour
// beyond what a noun needs to be read, written and compared.
//
// A release of an AI application moves through these nouns: an [App] declares
// it, a [Release] is one immutable version of it, an [Environment] is where it
// runs, [Block]s are what was seen of its traffic, a [Verdict] is what the judge
// concluded, and an [Entry] is the record of each change.
package fairlead

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Digest names immutable content: "sha256:" and 64 lower-case hexadecimal digits.
type Digest string

// DigestOf returns the digest of data.
func DigestOf(data []byte) Digest {
	return Digest(fmt.Sprintf("sha256:%x", sha256.Sum256(data)))
}

var digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// Valid reports whether d is well formed.
func (d Digest) Valid() bool { return digestForm.MatchString(string(d)) }

// Hex returns the hexadecimal part of d, without its algorithm.
func (d Digest) Hex() string { return strings.TrimPrefix(string(d), "sha256:") }

// Short returns the first twelve hexadecimal digits, for people.
func (d Digest) Short() string { return d.Hex()[:min(12, len(d.Hex()))] }

// Weight is a share of a route's units, in parts of ten thousand.
type Weight uint32

// Whole is the weight of all units.
const Whole Weight = 10_000

// String returns w as a percentage, such as "25 %" or "0.5 %".
func (w Weight) String() string { return fmt.Sprintf("%g %%", float64(w)/100) }

// Percent is a share as people write it in a file: 0 to 100.
type Percent float64

// Weight returns p as a weight, rounded to the nearest part of ten thousand.
func (p Percent) Weight() Weight { return Weight(float64(p)*100 + 0.5) }

// Duration is a time.Duration that files and JSON write as "1m30s".
type Duration time.Duration

// D returns d as a time.Duration.
func (d Duration) D() time.Duration { return time.Duration(d) }

// String returns d as time.Duration does.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText writes d as text such as "1m30s".
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads text such as "1m30s".
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration such as %q", text, "30s")
	}
	*d = Duration(v)
	return nil
}

var nameForm = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$`)

// ValidName reports whether s can name an app, an environment or a gate: a DNS
// label of at most 40 characters that begins with a letter.
func ValidName(s string) bool { return nameForm.MatchString(s) }

// Order authorises a command to a gateway or a shim. Term grows with each start
// of the control plane, Seq with each command of a term. A receiver refuses an
// order that is not after the newest it has taken.
type Order struct {
	Term uint64 `json:"term"`
	Seq  uint64 `json:"seq"`
}

// After reports whether o was given after p.
func (o Order) After(p Order) bool {
	return o.Term > p.Term || o.Term == p.Term && o.Seq > p.Seq
}

// String returns o as "term.seq".
func (o Order) String() string { return fmt.Sprintf("%d.%d", o.Term, o.Seq) }

// Sealed is a personal text in the form in which it may be stored: either
// "sealed:" with a subject id and ciphertext, which only the subject's key
// opens, or plain text that is not personal, such as "system:rollout".
type Sealed string

// Site is one app in one environment.
type Site struct {
	App string `json:"app"`
	Env string `json:"env"`
}

// String returns "app/env", which is also the key of the site's rows.
func (s Site) String() string { return s.App + "/" + s.Env }
