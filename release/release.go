// Package release makes releases: it resolves everything that an App file names
// (files, secret versions, a Git commit) into one immutable content with a
// digest, gives it a number, and records it.
package release

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead"
)

// Store keeps releases and the ledger.
type Store interface {
	Commit(ctx context.Context, c fairlead.Change) ([]fairlead.Entry, error)
	Rows(ctx context.Context, kind, prefix string) ([]fairlead.Row, error)
	LastRows(ctx context.Context, kind, prefix string, limit int) ([]fairlead.Row, error) // the last first
	Row(ctx context.Context, kind, key string) (fairlead.Row, bool, error)
}

// Files returns the files of a stored tree, digest by path; links have no digest.
type Files func(ctx context.Context, tree fairlead.Digest) (map[string]fairlead.Digest, error)

// Secrets returns the versions of the secrets that an environment has; those that
// it does not have are left out.
type Secrets func(ctx context.Context, env string, refs []fairlead.SecretRef) (map[string]int, error)

// Seal makes personal text storable: subject is whose it is.
type Seal func(ctx context.Context, subject, text string) (fairlead.Sealed, error)

// Maker makes releases. All exported fields are required. It is safe for
// concurrent use, and must not be copied.
type Maker struct {
	Store   Store
	Files   Files
	Secrets Secrets
	Seal    Seal
	Build   Build
	Image   Images
	Now     func() time.Time

	numbering sync.Mutex // held from the choice of a number until its release is recorded
}

// Making is what a release is made of.
type Making struct {
	App  fairlead.App            // complete and checked
	Tree fairlead.Digest         // what was uploaded with it: the artifact, the context of a Dockerfile, or an archive
	Env  string                  // to which it is brought first; its secret opens an image's registry
	Tell func(fairlead.Progress) // hears how far an image is, from one goroutine at a time; nil where nobody asks
}

// Make returns the release of an app's file and tree, which it records unless the
// same content is a release already; made says which. For an app from Git the
// tree is built first, and an image is found or made.
func (m *Maker) Make(ctx context.Context, making Making, by fairlead.Principal) (r fairlead.Release, made bool, err error) {
	app, tree := making.App, making.Tree
	op := "release " + app.Metadata.Name
	if !by.May(fairlead.Operator) {
		return r, false, fairlead.Errorf(fairlead.Forbidden, op, "this needs the role %s", fairlead.Operator)
	}
	var source *fairlead.Commit
	var image *Imaged
	switch {
	case app.Spec.Artifact.Container():
		imaged, err := m.Image(ctx, making)
		if err != nil {
			return r, false, fmt.Errorf("%s: %w", op, err)
		}
		image, tree, r.Kept, r.Credentials = &imaged, imaged.Tree, imaged.Kept, app.Spec.Artifact.Credentials
	case app.Spec.Artifact.Git != nil:
		built, err := m.Build.run(ctx, *app.Spec.Artifact.Git, m.Seal)
		if err != nil {
			return r, false, fmt.Errorf("%s: %w", op, err)
		}
		tree, source = built.tree, &built.commit
	}
	content, err := m.content(ctx, app, tree, image)
	if err != nil {
		return r, false, fmt.Errorf("%s: %w", op, err)
	}
	r.App, r.Digest, r.Content, r.Source = app.Metadata.Name, content.Digest(), content, source
	r.Created, r.By, r.Policy = m.Now().UTC(), by.ID, app.Spec.Environments
	r, made, err = m.record(ctx, r, by)
	if err != nil {
		return r, false, fmt.Errorf("%s: %w", op, err)
	}
	return r, made, nil
}

// content resolves what the file names. It fails when a named file is not in the
// tree.
func (m *Maker) content(ctx context.Context, app fairlead.App, tree fairlead.Digest, image *Imaged) (fairlead.Content, error) {
	s := app.Spec
	if image != nil {
		if err := image.complete(&s); err != nil {
			return fairlead.Content{}, err
		}
	}
	named, err := m.named(ctx, s, tree)
	if err != nil {
		return fairlead.Content{}, err
	}
	secrets, err := m.secrets(ctx, s)
	if err != nil {
		return fairlead.Content{}, err
	}
	content := fairlead.Content{
		Artifact: tree, Command: s.Command, Port: s.Port, Env: s.Env, EnvIn: envIn(s.Environments), Readiness: *s.Readiness, Health: s.Health,
		Drain: s.Drain, RunLimit: s.RunLimit, Timeout: s.Timeout, Files: named, Secrets: secrets,
		Resources: s.Resources, Network: s.Network, Gates: s.Gates, Assignment: s.Assignment, Volumes: s.Volumes, Loosen: s.Loosen,
	}
	if image != nil {
		content.Image = &image.Image
	}
	return content, nil
}

// envIn returns the variables of each environment, which are part of the release:
// they change how it behaves.
func envIn(environments []fairlead.Environment) map[string]map[string]string {
	all := map[string]map[string]string{}
	for _, env := range environments {
		if len(env.Env) > 0 {
			all[env.Name] = env.Env
		}
	}
	return all
}

func (m *Maker) named(ctx context.Context, s fairlead.AppSpec, tree fairlead.Digest) (map[string]fairlead.Digest, error) {
	files, err := m.Files(ctx, tree)
	if err != nil {
		return nil, fmt.Errorf("read the artifact's files: %w", err)
	}
	if program := s.Command[0]; !s.Artifact.Container() && strings.Contains(program, "/") && !strings.HasPrefix(program, "/") {
		if _, ok := files[path.Clean(program)]; !ok {
			return nil, fairlead.Errorf(fairlead.Invalid, "", "spec.command begins with %q, which is not a file of the artifact", program).
				WithHint("was it built? Paths are relative to the artifact's directory")
		}
	}
	named := map[string]fairlead.Digest{}
	for kind, paths := range map[string][]string{"model": s.Model, "prompt": s.Prompt, "config": s.Config} {
		for _, file := range paths {
			digest, ok := files[file]
			if !ok || digest == "" {
				return nil, fairlead.Errorf(fairlead.Invalid, "", "spec.%s names %q, which is not a file of the artifact", kind, file).
					WithHint("paths are relative to the artifact's directory")
			}
			named[kind+"/"+file] = digest
		}
	}
	return named, nil
}

func (m *Maker) secrets(ctx context.Context, s fairlead.AppSpec) (map[string]map[string]int, error) {
	if len(s.Secrets) == 0 {
		return nil, nil
	}
	all := map[string]map[string]int{}
	for _, env := range s.Environments {
		versions, err := m.Secrets(ctx, env.Name, s.Secrets)
		if err != nil {
			return nil, fmt.Errorf("secrets of %s: %w", env.Name, err)
		}
		all[env.Name] = versions
	}
	return all, nil
}

// record gives r its number and commits it. Content that is a release already
// keeps its number; only the environments' policy follows the file.
func (m *Maker) record(ctx context.Context, r fairlead.Release, by fairlead.Principal) (fairlead.Release, bool, error) {
	m.numbering.Lock()
	defer m.numbering.Unlock()
	all, err := m.List(ctx, r.App)
	if err != nil {
		return r, false, err
	}
	r.Number = len(all) + 1
	kind := "release.created"
	for _, known := range all {
		if known.Digest == r.Digest {
			known.Policy = r.Policy
			r, kind = known, "release.policy"
		}
	}
	value, err := json.Marshal(r)
	if err != nil {
		return r, false, fmt.Errorf("encode release: %w", err)
	}
	row := fairlead.Row{Kind: fairlead.ReleaseRow, Key: fairlead.ReleaseKey(r.App, r.Number), Value: value}
	said := map[string]any{"release": r.Name(), "digest": r.Digest}
	if words := r.Content.Loosen.Words(); len(words) > 0 {
		said["loosened"] = words
	}
	data, err := json.Marshal(said)
	if err != nil {
		return r, false, fmt.Errorf("encode entry: %w", err)
	}
	_, err = m.Store.Commit(ctx, fairlead.Change{Entries: []fairlead.Entry{{
		Time: m.Now().UTC(), Kind: kind, Site: fairlead.Site{App: r.App}, Principal: by.ID, Data: data, Rows: []fairlead.Row{row},
	}}})
	return r, kind == "release.created", err
}

// List returns an app's releases, oldest first. It reads them all: see [Maker.Newest].
func (m *Maker) List(ctx context.Context, app string) ([]fairlead.Release, error) {
	return decoded(m.Store.Rows(ctx, fairlead.ReleaseRow, app+"/"))
}

// Newest returns the newest limit releases of an app, newest first, and reads no others.
func (m *Maker) Newest(ctx context.Context, app string, limit int) ([]fairlead.Release, error) {
	return decoded(m.Store.LastRows(ctx, fairlead.ReleaseRow, app+"/", limit))
}

func decoded(rows []fairlead.Row, err error) ([]fairlead.Release, error) {
	if err != nil {
		return nil, fmt.Errorf("list releases: %w", err)
	}
	releases := make([]fairlead.Release, len(rows))
	for i, row := range rows {
		if err := json.Unmarshal(row.Value, &releases[i]); err != nil {
			return nil, fairlead.Errorf(fairlead.Corrupt, "list releases", "row %s: %w", row.Key, err)
		}
	}
	return releases, nil
}

// Get returns one release.
func (m *Maker) Get(ctx context.Context, app string, number int) (fairlead.Release, error) {
	var r fairlead.Release
	row, ok, err := m.Store.Row(ctx, fairlead.ReleaseRow, fairlead.ReleaseKey(app, number))
	if err != nil {
		return r, fmt.Errorf("read release: %w", err)
	}
	if !ok {
		return r, fairlead.Errorf(fairlead.NotFound, "find release", "there is no release %s@%d", app, number).
			WithHint("see which there are with: fairlead releases %s", app)
	}
	if err := json.Unmarshal(row.Value, &r); err != nil {
		return r, fairlead.Errorf(fairlead.Corrupt, "read release", "row %s: %w", row.Key, err)
	}
	return r, nil
}

// Environment returns what a release's file said of an environment; "" names the
// first one.
func Environment(r fairlead.Release, name string) (fairlead.Environment, error) {
	var names []string
	for _, env := range r.Policy {
		if env.Name == name || name == "" {
			return env, nil
		}
		names = append(names, env.Name)
	}
	return fairlead.Environment{}, fairlead.Errorf(fairlead.NotFound, "find environment", "%s has no environment %q", r.App, name).
		WithHint("its file names: %s", strings.Join(names, ", "))
}

// MissingSecrets returns the names of the secrets that a release has versions of
// somewhere but not in an environment, sorted: it cannot run there.
func MissingSecrets(r fairlead.Release, env string) []string {
	missing := map[string]bool{}
	for _, versions := range r.Content.Secrets {
		for name := range versions {
			if r.Content.Secrets[env][name] == 0 {
				missing[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(missing))
}
