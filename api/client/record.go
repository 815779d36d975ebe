package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// RecordQuery asks for entries of the ledger. The zero value asks for the newest ones.
type RecordQuery struct {
	App       string
	Env       string
	Kind      string // a kind, or with a dot at its end all that begin with it, such as "rollout."
	Principal string // who acted, by the name that is shown
	From      string // a time (RFC 3339) or a day (2026-03-01, UTC): entries of then or later
	Until     string // a time: entries before it; or a day: entries to its end
	Before    uint64 // entries before that position; 0 is from the newest on
	Limit     int    // how many at most; 0 is the server's default of 50
}

// Values returns the query as parameters of a URL: those that are set.
func (q RecordQuery) Values() url.Values {
	v := url.Values{}
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	set("app", q.App)
	set("env", q.Env)
	set("kind", q.Kind)
	set("principal", q.Principal)
	set("from", q.From)
	set("until", q.Until)
	if q.Before > 0 {
		v.Set("before", strconv.FormatUint(q.Before, 10))
	}
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	return v
}

// Record is a page of the ledger, newest entries first: GET /v1/ledger/entries with the
// parameters of RecordQuery. An answer looks through a bounded number of entries: where
// few match it may hold fewer than the limit, or none, and More says that there are older
// ones to look through.
type Record struct {
	Size    uint64  `json:"size"` // entries of the whole ledger
	Entries []Event `json:"entries"`
	Looked  int     `json:"looked"`         // entries that were looked through for these
	Next    uint64  `json:"next,omitempty"` // as before, for what is older
	More    bool    `json:"more"`           // there is something older to look through
}

// Proven is one entry with the proof that it stands in the ledger:
// GET /v1/ledger/entries/{seq}. Hashes are SHA-256 in base64. The proof is of the
// entry's commitment, which tells nothing of the entry to whoever lacks its salt.
type Proven struct {
	Entry      Event       `json:"entry"`
	Reason     string      `json:"reason,omitempty"`  // that a person gave
	Rows       []SetRow    `json:"rows,omitempty"`    // the state rows that it set
	Rollout    string      `json:"rollout,omitempty"` // that it concerns
	Release    string      `json:"release,omitempty"` // that it concerns, such as triage@7
	Facts      *FactsTaken `json:"facts,omitempty"`   // the inputs of a decision
	Commitment string      `json:"commitment"`        // of the entry as it is kept
	Leaf       string      `json:"leaf"`              // hash of the commitment as a leaf of the tree
	Path       []ProofStep `json:"path"`              // from the leaf to the root
	Checkpoint string      `json:"checkpoint"`        // the signed note
	Size       uint64      `json:"size"`              // entries that the checkpoint covers
	Root       string      `json:"root"`              // that the checkpoint was signed over
	Key        string      `json:"key"`               // the ledger's verifier key
	Holds      bool        `json:"holds"`             // the server has checked the proof
	Problem    string      `json:"problem,omitempty"`
}

// SetRow is a state row that an entry set, without its value.
type SetRow struct {
	Kind    string `json:"kind"`
	Key     string `json:"key"`
	Deleted bool   `json:"deleted,omitempty"`
}

// FactsTaken says on which recorded inputs a decision rests: the first N of a stream.
type FactsTaken struct {
	Stream string `json:"stream"`
	N      uint64 `json:"n"`
	Digest string `json:"digest"` // running digest after the Nth
}

// ProofStep is one hash of a path, and what it makes of the hash before it.
type ProofStep struct {
	Hash string `json:"hash"`
	Side string `json:"side"` // where it stands: left or right
	Sum  string `json:"sum"`  // hash of both
}

// Signed is the newest checkpoint: GET /v1/ledger/checkpoint. Kept elsewhere it shows
// later whether the ledger still begins with these entries.
type Signed struct {
	Checkpoint string `json:"checkpoint"` // the signed note; "" before the first entry
	Size       uint64 `json:"size"`
	Root       string `json:"root"`
	Key        string `json:"key"`     // the ledger's verifier key
	KeyFile    string `json:"keyFile"` // where it stands on the server
}

// The states of a Verification.
const (
	VerifyNever   = "never"
	VerifyRunning = "running"
	VerifyGood    = "good"
	VerifyBad     = "bad"    // something is not as it was written
	VerifyFailed  = "failed" // it could not be done
)

// Verification is the newest verification of the whole ledger by the server itself,
// since its start: GET /v1/ledger/verification; POST begins another, unless one is
// running. A server that verifies itself finds what was changed behind its back, not
// what it would hide itself.
type Verification struct {
	State       string    `json:"state"`
	Began       time.Time `json:"began,omitzero"`
	Ended       time.Time `json:"ended,omitzero"`
	Size        uint64    `json:"size"`    // entries when it began
	Entries     uint64    `json:"entries"` // that were checked, so far
	Facts       uint64    `json:"facts"`   // likewise
	Rows        int       `json:"rows"`    // state rows that were rebuilt and compared
	Checkpoints int       `json:"checkpoints"`
	Root        string    `json:"root,omitempty"` // of the tree over the entries
	Findings    []string  `json:"findings,omitempty"`
	More        int       `json:"more,omitempty"`    // findings beyond those
	Problem     string    `json:"problem,omitempty"` // why it could not be done
}

// Record returns entries of the ledger, newest first.
func (c *Client) Record(ctx context.Context, q RecordQuery) (Record, error) {
	return call[Record](ctx, c, http.MethodGet, "/v1/ledger/entries?"+q.Values().Encode(), nil)
}

// Proven returns one entry with its proof.
func (c *Client) Proven(ctx context.Context, seq uint64) (Proven, error) {
	return call[Proven](ctx, c, http.MethodGet, "/v1/ledger/entries/"+strconv.FormatUint(seq, 10), nil)
}

// Signed returns the newest checkpoint.
func (c *Client) Signed(ctx context.Context) (Signed, error) {
	return call[Signed](ctx, c, http.MethodGet, "/v1/ledger/checkpoint", nil)
}

// Verification returns how the newest verification stands.
func (c *Client) Verification(ctx context.Context) (Verification, error) {
	return call[Verification](ctx, c, http.MethodGet, "/v1/ledger/verification", nil)
}

// Verify begins a verification, or returns the one that is running.
func (c *Client) Verify(ctx context.Context) (Verification, error) {
	return call[Verification](ctx, c, http.MethodPost, "/v1/ledger/verification", struct{}{})
}
