package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/fairlead/fairlead"
)

// Took is a rollout by which a release came, or should have come, to an environment.
type Took struct {
	ID      string    `json:"id"`
	Env     string    `json:"env"`
	From    int       `json:"from"`           // release number that had the traffic, 0 for none
	Back    bool      `json:"back,omitempty"` // a rollback brought the release back
	Outcome Outcome   `json:"outcome,omitempty"`
	Phase   string    `json:"phase"`
	Held    string    `json:"held,omitempty"`
	Reason  string    `json:"reason,omitempty"` // as of Rollout
	Began   time.Time `json:"began"`
	Decided time.Time `json:"decided,omitzero"`

	Step    int               `json:"step"` // as of Rollout, like Weights and Weight
	Weights []fairlead.Weight `json:"weights"`
	Weight  fairlead.Weight   `json:"weight"`
}

// ReleaseFiles is what a release's artifact holds:
// GET /v1/apps/{app}/releases/{number}/files.
type ReleaseFiles struct {
	Count int           `json:"count"` // of all files and links
	Bytes int64         `json:"bytes"` // of all files
	Files []ReleaseFile `json:"files"` // those that the release names first, then by path
	More  int           `json:"more,omitempty"`
}

// ReleaseFile is one file of a release. Its text is in the answer of
// GET /v1/apps/{app}/releases/{number}/file?path=PATH alone.
type ReleaseFile struct {
	Path       string          `json:"path"`
	Kinds      []string        `json:"kinds,omitempty"` // of model, prompt and config: what the release names it as
	Executable bool            `json:"executable,omitempty"`
	Bytes      int64           `json:"bytes"`
	Digest     fairlead.Digest `json:"digest,omitempty"`
	Link       string          `json:"link,omitempty"` // target of a symbolic link
	Text       string          `json:"text,omitempty"`
	NoText     string          `json:"noText,omitempty"` // why there is none, such as that it is not text
}

// Difference is what one release has that another has not:
// GET /v1/apps/{app}/releases/{number}/difference?from=N. Without from it is to the release
// that was live before it, or else the one with the number before; from 0 is nothing.
type Difference struct {
	App   string       `json:"app"`
	From  int          `json:"from"`          // release number, 0 for none
	Why   string       `json:"why,omitempty"` // why it is From, where the caller did not choose it
	To    int          `json:"to"`
	Parts []PartChange `json:"parts"` // all, in a fixed order: artifact, model, prompt, config, command, settings, secrets, gates, policy, commit
}

// The ways a thing changes.
const (
	Added   = "added"
	Removed = "removed"
	Changed = "changed"
	Renamed = "renamed" // a file, whose content is the same
	Same    = "same"    // a part
)

// PartChange is what changed in one part of a release.
type PartChange struct {
	Part   string        `json:"part"`   // such as "prompt"
	Change string        `json:"change"` // changed or same
	Files  []FileChange  `json:"files,omitempty"`
	Values []ValueChange `json:"values,omitempty"`
	More   int           `json:"more,omitempty"` // changes beyond those that are listed
}

// FileChange is one file that was added, removed, changed or renamed.
type FileChange struct {
	Path   string          `json:"path"`
	Was    string          `json:"was,omitempty"` // its path before, if it was renamed
	Change string          `json:"change"`
	Before fairlead.Digest `json:"before,omitempty"`
	After  fairlead.Digest `json:"after,omitempty"`
	Bytes  [2]int64        `json:"bytes"`            // before and after
	Note   string          `json:"note,omitempty"`   // what else changed of it, such as that it may be executed now
	Diff   string          `json:"diff,omitempty"`   // of text: the hunks of a unified diff
	Cut    int             `json:"cut,omitempty"`    // lines that are left out at the end of Diff
	NoDiff string          `json:"noDiff,omitempty"` // why there is no Diff, such as that it is not text
}

// ValueChange is one value that was added, removed or changed. A secret's is its
// version, which is all that a release knows of it.
type ValueChange struct {
	Name   string `json:"name"`
	Change string `json:"change"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// Empty reports whether nothing differs.
func (d Difference) Empty() bool {
	for _, p := range d.Parts {
		if p.Change != Same {
			return false
		}
	}
	return true
}

// NewestReleases returns an app's newest releases, at most n, newest first.
func (c *Client) NewestReleases(ctx context.Context, app string, n int) ([]Release, error) {
	return call[[]Release](ctx, c, http.MethodGet, fmt.Sprintf("/v1/apps/%s/releases?limit=%d", url.PathEscape(app), n), nil)
}

// Release returns one release.
func (c *Client) Release(ctx context.Context, app string, number int) (Release, error) {
	return call[Release](ctx, c, http.MethodGet, releasePath(app, number), nil)
}

// ReleaseFiles lists what a release's artifact holds.
func (c *Client) ReleaseFiles(ctx context.Context, app string, number int) (ReleaseFiles, error) {
	return call[ReleaseFiles](ctx, c, http.MethodGet, releasePath(app, number)+"/files", nil)
}

// ReleaseFile returns one file of a release, with its text if it is text.
func (c *Client) ReleaseFile(ctx context.Context, app string, number int, path string) (ReleaseFile, error) {
	return call[ReleaseFile](ctx, c, http.MethodGet, releasePath(app, number)+"/file?"+url.Values{"path": {path}}.Encode(), nil)
}

// Difference compares a release with the one before it.
func (c *Client) Difference(ctx context.Context, app string, number int) (Difference, error) {
	return call[Difference](ctx, c, http.MethodGet, releasePath(app, number)+"/difference", nil)
}

// DifferenceFrom compares a release with another of the same app; 0 stands for none.
func (c *Client) DifferenceFrom(ctx context.Context, app string, from, number int) (Difference, error) {
	return call[Difference](ctx, c, http.MethodGet, fmt.Sprintf("%s/difference?from=%d", releasePath(app, number), from), nil)
}

// Blob opens content of the content store; the caller closes it.
func (c *Client) Blob(ctx context.Context, digest fairlead.Digest) (io.ReadCloser, error) {
	return c.stream(ctx, "/v1/blobs/"+url.PathEscape(string(digest)))
}

func releasePath(app string, number int) string {
	return fmt.Sprintf("/v1/apps/%s/releases/%d", url.PathEscape(app), number)
}
