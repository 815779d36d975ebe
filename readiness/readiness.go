// Package readiness proves that a release may take traffic. A gate is a command
// that runs in the sandbox against the exact release; its outcome is [Evidence]: a
// statement about the release's digest, signed, with an expiry, in the ledger.
//
// [Decide] is pure: it tells what the evidence at hand proves. Evidence counts
// only as far as its signed statement does: the fields of its row are for people
// and queries, and a row that disagrees with its statement proves nothing. Failed
// evidence is evidence too: it blocks until a newer run of the gate passes.
//
// [Gates] runs what has not been proven.
package readiness

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/fairlead/fairlead"
)

// Row is the kind of the state rows that hold evidence, by [Key].
const Row = "evidence"

// Key returns the key of a gate's evidence: of its newest run.
func Key(release fairlead.Digest, env, gate string) string {
	return fmt.Sprintf("%s/%s/%s", release.Hex(), env, gate)
}

// Evidence is the outcome of one run of a gate against one release, in one
// environment. It is the value of its state row.
type Evidence struct {
	Gate         string          `json:"gate"`
	Env          string          `json:"env"`
	Digest       fairlead.Digest `json:"digest"`        // the release's
	Command      fairlead.Digest `json:"commandDigest"` // see CommandDigest
	Passed       bool            `json:"passed"`
	ExitCode     int             `json:"exitCode"` // -1 when it was killed
	TimedOut     bool            `json:"timedOut,omitempty"`
	OutputDigest fairlead.Digest `json:"outputDigest"` // of what it wrote, in the content store
	Output       string          `json:"output,omitempty"`
	Started      time.Time       `json:"started"`
	Ended        time.Time       `json:"ended"`
	Expires      time.Time       `json:"expires"`
	Envelope     json.RawMessage `json:"envelope,omitempty"` // DSSE over an in-toto statement of the fields above
}

// outcome says in a few words how the run ended.
func (e Evidence) outcome() string {
	switch {
	case e.Passed:
		return "passed"
	case e.TimedOut:
		return "it did not end in its time"
	case e.ExitCode < 0:
		return "it was killed"
	}
	return fmt.Sprintf("exit status %d", e.ExitCode)
}

// CommandDigest returns the digest of what a gate runs: of its command as a JSON
// list. Evidence for another command under the same name does not count.
func CommandDigest(gate fairlead.Gate) fairlead.Digest {
	data, err := json.Marshal(gate.Command)
	if err != nil {
		panic(fmt.Sprintf("a list of text does not marshal: %v", err)) // cannot happen
	}
	return fairlead.DigestOf(data)
}
