package fairlead

import (
	"encoding/json"
	"fmt"
	"time"
)

// Release is one immutable version of an app: everything that moves and returns
// together. People see it as app@number; its digest is its identity.
type Release struct {
	App     string        `json:"app"`
	Number  int           `json:"number"` // counts from 1 in each app
	Digest  Digest        `json:"digest"` // of Content
	Content Content       `json:"content"`
	Source  *Commit       `json:"source,omitempty"` // where it was built from, if from Git
	Created time.Time     `json:"created"`
	By      Sealed        `json:"by"`
	Policy  []Environment `json:"policy"` // the environments as the file had them when the release was made

	// Of an image, and no part of what it is.
	Kept        Digest `json:"kept,omitempty"`        // the tree in the content store from which an engine can load it
	Credentials string `json:"credentials,omitempty"` // the secret that opens its registry
}

// Content is what a release's digest covers.
type Content struct {
	Artifact   Digest                       `json:"artifact"`        // of the tree's manifest; of an image: its configuration and the named files
	Image      *Image                       `json:"image,omitempty"` // of one that runs in containers
	Command    []string                     `json:"command"`
	Port       int                          `json:"port"`
	Env        map[string]string            `json:"env,omitempty"`
	EnvIn      map[string]map[string]string `json:"envIn,omitempty"` // environment -> variables that apply there only
	Readiness  Check                        `json:"readiness"`
	Health     *Check                       `json:"health,omitempty"`
	Drain      Duration                     `json:"drain"`
	RunLimit   Duration                     `json:"runLimit"`
	Timeout    Duration                     `json:"timeout"`
	Files      map[string]Digest            `json:"files,omitempty"`   // model, prompt and configuration files by "kind/path"
	Secrets    map[string]map[string]int    `json:"secrets,omitempty"` // environment -> secret name -> version
	Resources  Resources                    `json:"resources"`
	Network    Network                      `json:"network"`
	Volumes    []Volume                     `json:"volumes,omitempty"`
	Loosen     *Loosen                      `json:"loosen,omitempty"`
	Gates      []Gate                       `json:"gates,omitempty"`
	Assignment Assignment                   `json:"assignment"`
}

// Commit is the Git commit a release was built from.
type Commit struct {
	Repository string    `json:"repository"`
	Ref        string    `json:"ref"`
	Hash       string    `json:"hash"` // full object id
	Author     Sealed    `json:"author"`
	Time       time.Time `json:"time"`
	Subject    Sealed    `json:"subject"`
	BuildLog   Digest    `json:"buildLog,omitempty"` // in the content store
}

// Digest returns the digest of c: of its JSON, whose object keys are sorted.
func (c Content) Digest() Digest {
	data, err := json.Marshal(c)
	if err != nil {
		panic(fmt.Sprintf("content of plain fields does not marshal: %v", err)) // cannot happen
	}
	return DigestOf(data)
}

// Name returns "app@number".
func (r Release) Name() string { return fmt.Sprintf("%s@%d", r.App, r.Number) }

// ReleaseRow is the kind of the state rows that hold releases.
const ReleaseRow = "release"

// ReleaseKey returns the key of a release's row. Keys of one app sort by number.
func ReleaseKey(app string, number int) string { return fmt.Sprintf("%s/%06d", app, number) }
