package readiness

import (
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead"
)

// Verdict is what the evidence says of a release in an environment: which of the
// gates that the environment demands are in which state, in the file's order.
type Verdict struct {
	Satisfied []string  `json:"satisfied,omitempty"` // passed, fresh, and signed for exactly this
	Missing   []string  `json:"missing,omitempty"`   // nothing that counts
	Failed    []string  `json:"failed,omitempty"`    // the newest run failed
	Expired   []string  `json:"expired,omitempty"`   // passed, but too long ago
	Until     time.Time `json:"until,omitzero"`      // when the first of the satisfied expires; zero for never
	Why       []string  `json:"why,omitempty"`       // a sentence for each gate that is not satisfied
}

// Holds reports whether every gate that is demanded is satisfied. An environment
// that demands none is satisfied.
func (v Verdict) Holds() bool { return len(v.Missing)+len(v.Failed)+len(v.Expired) == 0 }

// Demanded returns the gates that an environment demands, in order. A gate that
// names no environments is demanded in all.
func Demanded(gates []fairlead.Gate, env string) []fairlead.Gate {
	var demanded []fairlead.Gate
	for _, gate := range gates {
		if len(gate.Environments) == 0 || slices.Contains(gate.Environments, env) {
			demanded = append(demanded, gate)
		}
	}
	return demanded
}

// Decide tells what evidence says at now of the release with a digest. Evidence
// counts when key's signature over its statement verifies, the statement is for
// this digest, environment, gate and command, and the row agrees with it. Of
// several for one gate, the one that ended last counts.
func Decide(now time.Time, key ed25519.PublicKey, gates []fairlead.Gate, env string, digest fairlead.Digest, evidence []Evidence) Verdict {
	var v Verdict
	for _, gate := range Demanded(gates, env) {
		newest, reason := newestOf(key, gate, env, digest, evidence)
		switch {
		case newest == nil:
			v.Missing = append(v.Missing, gate.Name)
			v.Why = append(v.Why, fmt.Sprintf("gate %s has no evidence%s", gate.Name, reason))
		case !newest.Passed:
			v.Failed = append(v.Failed, gate.Name)
			v.Why = append(v.Why, fmt.Sprintf("gate %s failed: %s%s", gate.Name, newest.outcome(), lastLine(newest.Output)))
		case !now.Before(newest.Expires):
			v.Expired = append(v.Expired, gate.Name)
			v.Why = append(v.Why, fmt.Sprintf("the evidence of gate %s expired at %s", gate.Name, newest.Expires.Format(time.RFC3339)))
		default:
			v.Satisfied = append(v.Satisfied, gate.Name)
			if v.Until.IsZero() || newest.Expires.Before(v.Until) {
				v.Until = newest.Expires
			}
		}
	}
	return v
}

// newestOf returns the newest evidence that counts for a gate, or why what there
// is does not.
func newestOf(key ed25519.PublicKey, gate fairlead.Gate, env string, digest fairlead.Digest, evidence []Evidence) (*Evidence, string) {
	var newest *Evidence
	reason := ""
	for _, e := range evidence {
		if e.Gate != gate.Name || e.Env != env || e.Digest != digest {
			continue // of another gate, by its own account
		}
		if err := counts(key, gate, e); err != nil {
			reason = " that counts: " + err.Error()
			continue
		}
		if newest == nil || e.Ended.After(newest.Ended) {
			newest = &e
		}
	}
	return newest, reason
}

// counts reports why evidence does not count, or nil.
func counts(key ed25519.PublicKey, gate fairlead.Gate, e Evidence) error {
	signed, err := verify(key, e.Envelope)
	if err != nil {
		return err
	}
	switch e.Envelope = nil; {
	case !same(signed, e):
		return fmt.Errorf("it differs from its signed statement")
	case signed.Command != CommandDigest(gate):
		return fmt.Errorf("it is of another command")
	case signed.Expires.Sub(signed.Ended) > gate.Expires.D():
		return fmt.Errorf("it claims to be fresh for longer than the gate allows")
	}
	return nil
}

// same reports whether two pieces of evidence say the same, times as instants.
func same(a, b Evidence) bool {
	times := a.Started.Equal(b.Started) && a.Ended.Equal(b.Ended) && a.Expires.Equal(b.Expires)
	return times && a.Gate == b.Gate && a.Env == b.Env && a.Digest == b.Digest && a.Command == b.Command &&
		a.Passed == b.Passed && a.ExitCode == b.ExitCode && a.TimedOut == b.TimedOut &&
		a.OutputDigest == b.OutputDigest && a.Output == b.Output
}

func lastLine(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		return ", " + last
	}
	return ""
}
