package server

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/artifact/git"
	"github.com/fairlead/fairlead/release"
	"github.com/fairlead/fairlead/workload"
)

// newMaker joins the parts that a release is made of.
func (s *control) newMaker() *release.Maker {
	return &release.Maker{
		Store: s.store, Now: s.clock.Now, Seal: s.store.Sealer().Seal, Secrets: s.secretVersions,
		Files: s.files,
		Image: s.images.Resolve,
		Build: release.Build{Scratch: s.scratch(), Clone: clone, Run: s.build, PutTree: s.putTree, PutBlob: s.putBlob},
	}
}

// newContents reads what releases hold from the content store.
func (s *control) newContents() *release.Contents {
	return &release.Contents{Get: s.releases.Get, Open: s.trees.Open, Tree: s.tree}
}

// tree returns the files of a release's artifact.
func (s *control) tree(_ context.Context, digest fairlead.Digest) ([]release.File, error) {
	m, err := s.trees.Manifest(digest)
	if err != nil {
		return nil, err
	}
	files := make([]release.File, len(m.Files))
	for i, f := range m.Files {
		files[i] = release.File{Path: f.Path, Executable: f.Executable, Bytes: f.Size, Digest: f.Digest, Link: f.Link}
	}
	return files, nil
}

// secretVersions resolves references; those that an environment cannot fulfil yet
// are left out, and stop a deploy to that environment only.
func (s *control) secretVersions(ctx context.Context, env string, refs []fairlead.SecretRef) (map[string]int, error) {
	versions, err := s.vault.Versions(ctx, env, refs)
	if fairlead.CodeOf(err) == fairlead.NotFound {
		return versions, nil
	}
	return versions, err
}

// files returns the files of an uploaded tree, all of whose blobs must be there.
func (s *control) files(ctx context.Context, tree fairlead.Digest) (map[string]fairlead.Digest, error) {
	m, err := s.trees.Manifest(tree)
	if err != nil {
		return nil, err
	}
	missing, err := s.trees.Missing(ctx, m.Blobs())
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		return nil, fairlead.Errorf(fairlead.Conflict, "", "%d files of the artifact were not uploaded", len(missing)).
			WithHint("deploy again: the upload goes on where it ended")
	}
	files := map[string]fairlead.Digest{}
	for _, f := range m.Files {
		files[f.Path] = f.Digest
	}
	return files, nil
}

func clone(ctx context.Context, repository, ref, into string) (release.Cloned, error) {
	c, err := git.Clone(ctx, git.Source{Repository: repository, Ref: ref, Into: into})
	return release.Cloned{Hash: c.Hash, AuthorName: c.AuthorName, AuthorEmail: c.AuthorEmail, Time: c.Time, Subject: c.Subject}, err
}

func (s *control) build(ctx context.Context, dir string, command []string, timeout time.Duration) ([]byte, error) {
	result, err := s.runtime.RunJob(ctx, workload.Job{
		ID: newJobID("build"), Dir: dir, Writable: true, Command: command, Timeout: timeout, Sandbox: fairlead.SandboxPreferred,
	})
	if err != nil {
		return nil, err
	}
	return result.Output, failure(result)
}

// failure puts the end of a job that did not succeed in words.
func failure(r workload.JobResult) error {
	switch {
	case r.TimedOut:
		return errors.New("it did not end in its time")
	case r.ExitCode != 0:
		return fairlead.Errorf(fairlead.Invalid, "", "exit status %d", r.ExitCode)
	}
	return nil
}

func (s *control) putTree(ctx context.Context, dir string) (fairlead.Digest, error) {
	digest, _, err := s.trees.PutTree(ctx, dir)
	return digest, err
}

func (s *control) putBlob(ctx context.Context, data []byte) (fairlead.Digest, error) {
	digest, _, err := s.trees.Put(ctx, bytes.NewReader(data))
	return digest, err
}
