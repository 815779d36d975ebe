package client

import "github.com/fairlead/fairlead"

// Difference is what one release has that another has not:
// GET /v1/apps/{app}/releases/{number}/difference?from=N. Without from it is to the release
// that was live before it, or else the one with the number before; from 0 is nothing.
type Difference struct {
	App   string       `json:"app"`
	From  int          `json:"from"` // release number, 0 for none
	To    int          `json:"to"`
	Parts []PartChange `json:"parts"` // in a fixed order: artifact, model, prompt, config, command, settings, secrets, gates, policy
}

// The ways a thing changes.
const (
	Added   = "added"
	Removed = "removed"
	Changed = "changed"
	Same    = "same"
)

// PartChange is what changed in one part of a release.
type PartChange struct {
	Part   string        `json:"part"`   // such as "prompt"
	Change string        `json:"change"` // changed or same
	Files  []FileChange  `json:"files,omitempty"`
	Values []ValueChange `json:"values,omitempty"`
	More   int           `json:"more,omitempty"` // changes beyond those that are listed
}

// FileChange is one file that was added, removed or changed.
type FileChange struct {
	Path   string          `json:"path"`
	Change string          `json:"change"`
	Before fairlead.Digest `json:"before,omitempty"`
	After  fairlead.Digest `json:"after,omitempty"`
	Bytes  [2]int64        `json:"bytes"`            // before and after
	Diff   string          `json:"diff,omitempty"`   // unified, of text files; "" for others
	NoDiff string          `json:"noDiff,omitempty"` // why there is none: binary, too large
}

// ValueChange is one setting that was added, removed or changed. A secret is shown by
// its version, never by its value.
type ValueChange struct {
	Name   string `json:"name"`
	Change string `json:"change"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}
