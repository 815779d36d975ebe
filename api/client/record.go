package client

import "time"

// Record is a page of the ledger, newest entries first: GET /v1/ledger/entries with
// app, env, kind (a kind, or the beginning of kinds with a dot at its end), principal,
// before (a position) and limit.
type Record struct {
	Size    uint64  `json:"size"` // entries of the whole ledger
	Entries []Event `json:"entries"`
	Next    uint64  `json:"next,omitempty"` // as before, for what is older
	More    bool    `json:"more"`           // there is something older to look through
}

// Proven is one entry with the proof that it stands in the ledger:
// GET /v1/ledger/entries/{seq}.
type Proven struct {
	Entry      Event    `json:"entry"`
	Rows       []string `json:"rows,omitempty"`    // kind and key of the state rows that it set
	Leaf       string   `json:"leaf"`              // hash of its leaf, base64
	Path       []string `json:"path"`              // hashes, base64, from the leaf to the root
	Checkpoint string   `json:"checkpoint"`        // the signed note
	Size       uint64   `json:"size"`              // entries that the checkpoint covers
	Root       string   `json:"root"`              // base64
	Key        string   `json:"key"`               // the ledger's verifier key
	Holds      bool     `json:"holds"`             // the server has checked the proof
	Problem    string   `json:"problem,omitempty"` // why it does not hold
}

// Verification is the newest verification of the whole ledger by the server itself:
// GET /v1/ledger/verification; POST begins another.
type Verification struct {
	State    string    `json:"state"` // never, running, good, bad or failed
	Began    time.Time `json:"began,omitzero"`
	Ended    time.Time `json:"ended,omitzero"`
	Entries  uint64    `json:"entries"` // that were checked
	Facts    uint64    `json:"facts"`
	Findings []string  `json:"findings,omitempty"`
	Problem  string    `json:"problem,omitempty"` // why it could not be done
}
