package fairlead

import (
	"encoding/json"
	"time"
)

// Entry is one record of the ledger: what happened, who did it, and the state
// rows that it set. State is nothing but the rows of all entries in order.
type Entry struct {
	Seq       uint64          `json:"seq"`  // position in the ledger, from 0; the store sets it
	Time      time.Time       `json:"time"` // UTC
	Kind      string          `json:"kind"` // such as "release.created"
	Site      Site            `json:"site"` // zero parts where it concerns no app or environment
	Principal Sealed          `json:"principal"`
	Data      json.RawMessage `json:"data,omitempty"` // facts of this kind of entry
	Rows      []Row           `json:"rows,omitempty"`
}

// Row is one piece of current state: the newest row of a (Kind, Key) is in force.
type Row struct {
	Kind  string          `json:"kind"` // such as "release"
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value,omitempty"` // null or absent deletes the row
}

// Fact is a recorded input of decisions, such as a second of observations. Facts
// are not entries: a decision's entry commits to them by a running digest.
type Fact struct {
	Stream string // what it is an input of, such as a rollout's id
	N      uint64 // position in the stream, from 1
	Body   []byte // JSON, without personal fields
}

// Change is all that one step changes. A store commits it whole or not at all.
type Change struct {
	Entries []Entry // at least one
	Facts   []Fact  // inputs that led to it
}

// Intent is an action on the world that has been decided and recorded but whose
// outcome is not yet known. It is the value of a row of kind "intent", keyed by
// its ID, which the outcome's entry deletes.
type Intent struct {
	ID     string          `json:"id"`     // also the idempotency id of the action
	Action string          `json:"action"` // such as "instance.start"
	Site   Site            `json:"site"`
	Target string          `json:"target"`           // what is acted on, such as an instance's id
	Detail json.RawMessage `json:"detail,omitempty"` // what the action needs
	Since  time.Time       `json:"since"`
}

// Role is what a principal may do. Each role includes the ones before it.
type Role string

// The roles.
const (
	Reporter Role = "reporter" // report values of requests, and nothing else: not even read
	Viewer   Role = "viewer"   // read
	Operator Role = "operator" // deploy, promote, roll back, pause
	Admin    Role = "admin"    // secrets, principals, shutdown
)

// Principal is who acts.
type Principal struct {
	ID   Sealed `json:"id"`
	Role Role   `json:"role"`
}

// May reports whether p has at least role.
func (p Principal) May(role Role) bool {
	rank := map[Role]int{Reporter: 1, Viewer: 2, Operator: 3, Admin: 4}
	return rank[role] > 0 && rank[p.Role] >= rank[role]
}
