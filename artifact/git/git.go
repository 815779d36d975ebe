// Package git makes a clone of a Git repository at one commit, by running the git
// command without a shell.
//
// The repository is a stranger. So git runs with an environment of its own: no
// system, user or inherited configuration, no hooks, no submodules, no prompts, no
// credential helpers, and only the file, https and ssh transports. Addresses and
// refs that git could take for options are refused before it starts.
//
// A repository on this machine must belong to the user who runs Fairlead. Git
// itself demands this in some versions and not in others; here it always holds,
// because a foreign repository is a directory that somebody else controls while it
// is read. Clone it yourself, or give its https or ssh address, to use one.
package git

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/fairlead/fairlead"
)

// Source says what to clone, and where to.
type Source struct {
	Repository string // an absolute path, or a file, https or ssh address
	Ref        string // a branch, a tag, a full ref or a commit; empty means HEAD
	Into       string // a directory that does not exist yet, in one that does
}

// Commit is the commit that was checked out. Texts are valid UTF-8 of at most 500
// bytes. The author's name and mail address and the subject are personal: seal
// them before they are stored.
type Commit struct {
	Repository  string
	Ref         string
	Hash        string // full object id
	AuthorName  string
	AuthorEmail string
	Time        time.Time // when it was committed, UTC
	Subject     string
}

// Clone clones the repository with its history, checks out the commit that Ref
// names, detached, and returns it. After an error Into does not exist. Errors have
// the codes invalid (refused before git ran), not_found (no such repository or
// ref), conflict (Ref is both a branch and a tag, or Into exists), forbidden (the
// repository's owner), unsupported (there is no git command) and unavailable
// (anything else that git reports, with its words).
//
// It ends with ctx, and so do the processes that git started. While it runs git has
// a home directory of its own beside Into.
func Clone(ctx context.Context, source Source) (Commit, error) {
	if source.Ref == "" {
		source.Ref = "HEAD"
	}
	if err := source.check(); err != nil {
		return Commit{}, err
	}
	program, err := exec.LookPath("git")
	if err != nil {
		return Commit{}, fairlead.Errorf(fairlead.Unsupported, source.op(), "there is no git command: %w", err).WithHint("install git")
	}
	if err := os.Mkdir(source.Into, 0o700); errors.Is(err, os.ErrExist) {
		return Commit{}, fairlead.Errorf(fairlead.Conflict, source.op(), "%s exists", source.Into)
	} else if err != nil {
		return Commit{}, fairlead.Errorf(fairlead.Internal, source.op(), "%w", err)
	}
	home, err := os.MkdirTemp(filepath.Dir(source.Into), ".git-home-")
	if err != nil {
		return Commit{}, errors.Join(fairlead.Errorf(fairlead.Internal, source.op(), "%w", err), os.RemoveAll(source.Into))
	}
	defer os.RemoveAll(home)
	commit, err := (&command{program: program, home: home, source: source}).clone(ctx)
	if err != nil {
		return Commit{}, errors.Join(err, os.RemoveAll(source.Into))
	}
	return commit, nil
}

// op names the operation, without credentials that the address may hold.
func (s Source) op() string { return "clone " + credentials.ReplaceAllString(s.Repository, "://") }

var credentials = regexp.MustCompile(`://[^/]*@`)

type command struct {
	program string
	home    string // an empty directory
	source  Source
}

func (c *command) clone(ctx context.Context) (Commit, error) {
	// --no-local: objects come through git's protocol, never as links or copies of
	// the other repository's files.
	_, err := c.run(ctx, c.home, "clone", "--quiet", "--no-checkout", "--no-local", "--template=", "--no-recurse-submodules",
		"--origin=origin", "--", c.source.Repository, c.source.Into)
	if err != nil {
		return Commit{}, c.failure(ctx, err)
	}
	hash, err := c.resolve(ctx)
	if err != nil {
		return Commit{}, err
	}
	if _, err := c.run(ctx, c.source.Into, "checkout", "--quiet", "--force", "--detach", hash, "--"); err != nil {
		return Commit{}, c.failure(ctx, err)
	}
	return c.describe(ctx, hash)
}

// resolve returns the full hash of the commit that the ref names.
func (c *command) resolve(ctx context.Context) (string, error) {
	var found []string
	for _, name := range candidates(c.source.Ref) {
		out, err := c.run(ctx, c.source.Into, "rev-parse", "--verify", "--quiet", "--end-of-options", name+"^{commit}")
		if err != nil {
			if ctx.Err() != nil {
				return "", c.failure(ctx, err)
			}
			continue // no such name
		}
		if hash := strings.TrimSpace(out); len(found) == 0 || found[0] != hash {
			found = append(found, hash)
		}
	}
	switch {
	case len(found) == 0:
		return "", fairlead.Errorf(fairlead.NotFound, c.source.op(), "it has no branch, tag or commit %q", c.source.Ref).
			WithHint("`git ls-remote %s` lists what it has", c.source.Repository)
	case len(found) > 1:
		return "", fairlead.Errorf(fairlead.Conflict, c.source.op(), "%q is both a tag and a branch, at different commits", c.source.Ref).
			WithHint("write refs/tags/%s or refs/heads/%s", c.source.Ref, c.source.Ref)
	}
	return found[0], nil
}

// candidates returns what a ref may be called in a fresh clone.
func candidates(ref string) []string {
	if ref == "HEAD" {
		return []string{"HEAD"}
	}
	if branch, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
		return []string{"refs/remotes/origin/" + branch}
	}
	if strings.HasPrefix(ref, "refs/") {
		return []string{ref}
	}
	names := []string{"refs/tags/" + ref, "refs/remotes/origin/" + ref}
	if hashForm.MatchString(ref) {
		names = append(names, ref)
	}
	return names
}

// describe reads what the commit says of itself.
func (c *command) describe(ctx context.Context, hash string) (Commit, error) {
	out, err := c.run(ctx, c.source.Into, "show", "--no-patch", "--no-notes", "--no-show-signature", "--format=%H%x00%an%x00%ae%x00%cI%x00%s", hash, "--")
	if err != nil {
		return Commit{}, c.failure(ctx, err)
	}
	fields := strings.SplitN(strings.TrimSuffix(out, "\n"), "\x00", 5)
	if len(fields) != 5 {
		return Commit{}, fairlead.Errorf(fairlead.Internal, c.source.op(), "git described the commit as %.200q", out)
	}
	at, err := time.Parse(time.RFC3339, fields[3])
	if err != nil {
		return Commit{}, fairlead.Errorf(fairlead.Internal, c.source.op(), "the commit's time: %w", err)
	}
	return Commit{
		Repository: c.source.Repository, Ref: c.source.Ref, Hash: fields[0],
		AuthorName: text(fields[1]), AuthorEmail: text(fields[2]), Time: at.UTC(), Subject: text(fields[4]),
	}, nil
}

// text makes a stranger's words valid UTF-8 of at most 500 bytes.
func text(s string) string { return strings.ToValidUTF8(s[:min(len(s), 500)], "") }

// run runs git and returns its standard output. The error of a failed run carries
// the end of its standard error.
func (c *command) run(ctx context.Context, dir string, args ...string) (string, error) {
	settings := []string{
		"-c", "core.hooksPath=/dev/null", "-c", "credential.helper=", "-c", "core.fsmonitor=false", "-c", "gc.auto=0",
		"-c", "maintenance.auto=false", "-c", "submodule.recurse=false", "-c", "advice.detachedHead=false",
	}
	cmd := exec.CommandContext(ctx, c.program, append(settings, args...)...)
	cmd.Dir = dir
	cmd.Env = c.environment()
	cmd.SysProcAttr = ownGroup()
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	runtime.LockOSThread() // git dies with this thread
	defer runtime.UnlockOSThread()
	var out, complaint tail
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return "", &failed{err: err, complaint: strings.TrimSpace(text(complaint.String()))}
	}
	return out.String(), nil
}

func (c *command) environment() []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + c.home,
		"LC_ALL=C",
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_ATTR_NOSYSTEM=1",
		"GIT_TERMINAL_PROMPT=0",
		"GIT_ASKPASS=",
		"GIT_ALLOW_PROTOCOL=file:https:ssh",
		"GIT_NO_LAZY_FETCH=1",
		"GIT_SSH_COMMAND=ssh -o BatchMode=yes",
	}
	if agent := os.Getenv("SSH_AUTH_SOCK"); agent != "" {
		env = append(env, "SSH_AUTH_SOCK="+agent)
	}
	return env
}

// failed is a run of git that failed.
type failed struct {
	err       error
	complaint string
}

func (f *failed) Error() string {
	if f.complaint == "" {
		return "git: " + f.err.Error()
	}
	return "git: " + strings.Join(strings.Fields(f.complaint), " ")
}

func (f *failed) Unwrap() error { return f.err }

func (c *command) failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return &fairlead.Error{Code: fairlead.Unavailable, Op: c.source.op(), Err: ctx.Err()}
	}
	hint := "it must be reachable without a password; `git ls-remote " + c.source.Repository + "` shows what git says"
	return (&fairlead.Error{Code: fairlead.Unavailable, Op: c.source.op(), Err: err}).WithHint("%s", hint)
}

// tail keeps the last part of what is written to it.
type tail struct{ buffer bytes.Buffer }

const tailSize = 8 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.buffer.Write(p)
	if over := t.buffer.Len() - 2*tailSize; over > 0 {
		t.buffer.Next(t.buffer.Len() - tailSize)
	}
	return len(p), nil
}

func (t *tail) String() string {
	data := t.buffer.Bytes()
	return string(data[max(0, len(data)-tailSize):])
}

// owner returns the uid that owns a directory.
func owner(path string) (int, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return int(info.Sys().(*syscall.Stat_t).Uid), nil
}

// checkOwner refuses a local repository that belongs to another user.
func checkOwner(op, repository string) error {
	for _, path := range []string{repository, filepath.Join(repository, ".git")} {
		uid, err := owner(path)
		switch {
		case errors.Is(err, os.ErrNotExist) && path != repository:
			continue // a bare repository
		case err != nil:
			return fairlead.Errorf(fairlead.NotFound, op, "%w", err)
		case uid != os.Geteuid():
			return fairlead.Errorf(fairlead.Forbidden, op, "%s belongs to user %d, and Fairlead runs as user %d", path, uid, os.Geteuid()).
				WithHint("clone it as the user that runs Fairlead, or give its https or ssh address")
		}
	}
	return nil
}
