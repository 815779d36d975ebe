package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fairlead/fairlead"
)

// Cloned is the commit that a clone has checked out. Author and Subject are
// personal.
type Cloned struct {
	Hash        string
	AuthorName  string
	AuthorEmail string
	Time        time.Time
	Subject     string
}

// Build makes a tree from a Git commit. All fields are required.
type Build struct {
	Scratch string // directory for clones; each is removed after its build
	Clone   func(ctx context.Context, repository, ref, into string) (Cloned, error)
	// Run runs a build command in the sandbox at the top of dir, which it may write,
	// and returns its output. A command that fails is an error, with its output.
	Run     func(ctx context.Context, dir string, command []string, timeout time.Duration) (output []byte, err error)
	PutTree func(ctx context.Context, dir string) (fairlead.Digest, error)
	PutBlob func(ctx context.Context, data []byte) (fairlead.Digest, error)
}

type built struct {
	tree   fairlead.Digest
	commit fairlead.Commit
}

func (b Build) run(ctx context.Context, g fairlead.GitSource, seal Seal) (result built, err error) {
	scratch, err := os.MkdirTemp(b.Scratch, "build-")
	if err != nil {
		return result, fmt.Errorf("make a directory for the build: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	dir := filepath.Join(scratch, "clone")
	cloned, err := b.Clone(ctx, g.Git, g.Ref, dir)
	if err != nil {
		return result, err
	}
	if result.commit, err = sealed(ctx, g, cloned, seal); err != nil {
		return result, err
	}
	log, err := b.build(ctx, g, dir)
	if err != nil {
		return result, err
	}
	if result.commit.BuildLog, err = b.PutBlob(ctx, log); err != nil {
		return result, fmt.Errorf("store the build's log: %w", err)
	}
	top, err := inside(dir, g.Directory)
	if err != nil {
		return result, err
	}
	if result.tree, err = b.PutTree(ctx, top); err != nil {
		return result, fmt.Errorf("store what the build made: %w", err)
	}
	return result, nil
}

func (b Build) build(ctx context.Context, g fairlead.GitSource, dir string) ([]byte, error) {
	if len(g.Build) == 0 {
		return []byte("no build command: the commit is released as it is\n"), nil
	}
	log, err := b.Run(ctx, dir, g.Build, g.Timeout.D())
	if err != nil {
		return nil, fairlead.Errorf(fairlead.Invalid, "build", "%w; the end of its output:\n%s", err, tail(log, 2000)).
			WithHint("%s", cmp.Or(fairlead.HintOf(err), "try the command in a clean clone; spec.artifact.from.build names it"))
	}
	return log, nil
}

func sealed(ctx context.Context, g fairlead.GitSource, c Cloned, seal Seal) (fairlead.Commit, error) {
	author, err := seal(ctx, c.AuthorEmail, fmt.Sprintf("%s <%s>", c.AuthorName, c.AuthorEmail))
	if err != nil {
		return fairlead.Commit{}, fmt.Errorf("seal the commit's author: %w", err)
	}
	subject, err := seal(ctx, c.AuthorEmail, c.Subject)
	if err != nil {
		return fairlead.Commit{}, fmt.Errorf("seal the commit's subject: %w", err)
	}
	return fairlead.Commit{Repository: g.Git, Ref: g.Ref, Hash: c.Hash, Author: author, Time: c.Time.UTC(), Subject: subject}, nil
}

// inside returns a directory below top, and refuses one that a symlink leads out.
func inside(top, directory string) (string, error) {
	real, err := filepath.EvalSymlinks(filepath.Join(top, directory))
	if err != nil {
		return "", fairlead.Errorf(fairlead.Invalid, "build", "the build made no directory %q: %w", directory, err).
			WithHint("name the directory that the build makes in spec.artifact.from.directory")
	}
	realTop, err := filepath.EvalSymlinks(top)
	if err != nil {
		return "", fmt.Errorf("find the clone: %w", err)
	}
	if rel, err := filepath.Rel(realTop, real); err != nil || !filepath.IsLocal(rel) {
		return "", fairlead.Errorf(fairlead.Invalid, "build", "the directory %q leads out of the clone", directory).
			WithHint("name one in the repository, not a link out of it, in spec.artifact.from.directory")
	}
	return real, nil
}

func tail(data []byte, n int) []byte { return data[max(0, len(data)-n):] }
