package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/fairlead/fairlead"
)

// FactsRef is how an entry commits to the facts that led to it: its Data has a
// field "facts" of this form. The verifier checks it wherever it is present.
type FactsRef struct {
	Stream string          `json:"stream"`
	N      uint64          `json:"n"`      // facts 1 to N
	Digest fairlead.Digest `json:"digest"` // the running digest after fact N
}

// FactsStart returns the running digest of a stream without facts:
// H_0 = SHA-256("fairlead facts v1\n" || stream).
func FactsStart(stream string) fairlead.Digest {
	return fairlead.DigestOf([]byte("fairlead facts v1\n" + stream))
}

// FactsNext returns the running digest after one more fact:
// H_n = SHA-256(H_(n-1) || body), H being 32 raw bytes. A malformed previous
// digest gives a digest that no store will ever hold.
func FactsNext(prev fairlead.Digest, body []byte) fairlead.Digest {
	raw, err := hex.DecodeString(prev.Hex())
	if err != nil || len(raw) != sha256.Size {
		return ""
	}
	h := sha256.New()
	h.Write(raw)
	h.Write(body)
	return fairlead.Digest("sha256:" + hex.EncodeToString(h.Sum(nil)))
}

// FactsRefOf returns the facts that an entry's data commits to, if it does.
func FactsRefOf(data json.RawMessage) (FactsRef, bool) {
	var d struct {
		Facts *FactsRef `json:"facts"`
	}
	if len(data) == 0 || data[0] != '{' || json.Unmarshal(data, &d) != nil || d.Facts == nil {
		return FactsRef{}, false
	}
	return *d.Facts, d.Facts.Stream != ""
}
