package git_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/artifact/git"
)

// repository is a real one with two commits on main, a branch and two tags.
type repository struct {
	t             *testing.T
	dir           string
	first, second string
}

func newRepository(t *testing.T) *repository {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git command")
	}
	r := &repository{t: t, dir: filepath.Join(t.TempDir(), "repo")}
	if err := os.Mkdir(r.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	r.git("init", "--quiet", "--initial-branch=main")
	r.first = r.commit("file", "one", "first")
	r.git("tag", "v1")
	r.git("tag", "-a", "-m", "annotated", "v1-annotated")
	r.git("branch", "old/branch")
	r.second = r.commit("file", "two", "second: a \"subject\" & more")
	return r
}

func (r *repository) git(args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Ada Löve", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_AUTHOR_DATE=2020-01-01T00:00:00Z",
		"GIT_COMMITTER_NAME=Bot", "GIT_COMMITTER_EMAIL=bot@example.com", "GIT_COMMITTER_DATE=2024-05-06T07:08:09+02:00")
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r *repository) commit(file, content, subject string) string {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, file), []byte(content), 0o644); err != nil {
		r.t.Fatal(err)
	}
	r.git("add", "--all")
	r.git("commit", "--quiet", "-m", subject)
	return r.git("rev-parse", "HEAD")
}

func clone(t *testing.T, source git.Source) (git.Commit, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	commit, err := git.Clone(ctx, source)
	if _, statErr := os.Stat(source.Into); err != nil && statErr == nil && fairlead.CodeOf(err) != fairlead.Conflict {
		t.Errorf("a failed clone left %s behind", source.Into)
	}
	return commit, err
}

func TestCloneChecksOutTheCommitThatTheRefNames(t *testing.T) {
	r := newRepository(t)
	for ref, want := range map[string]string{
		"": r.second, "HEAD": r.second, "main": r.second, "refs/heads/main": r.second, "old/branch": r.first,
		"v1": r.first, "refs/tags/v1": r.first, "v1-annotated": r.first, r.first: r.first, r.first[:10]: r.first,
	} {
		into := filepath.Join(t.TempDir(), "clone")
		commit, err := clone(t, git.Source{Repository: r.dir, Ref: ref, Into: into})
		if err != nil {
			t.Errorf("%q: %v", ref, err)
			continue
		}
		content, _ := os.ReadFile(filepath.Join(into, "file"))
		if commit.Hash != want || (string(content) == "one") != (want == r.first) {
			t.Errorf("%q is %s with content %q, want %s", ref, commit.Hash, content, want)
		}
		if head, _ := os.ReadFile(filepath.Join(into, ".git", "HEAD")); strings.TrimSpace(string(head)) != want {
			t.Errorf("%q: HEAD is %q, not detached", ref, head)
		}
	}
}

func TestCloneTellsWhoMadeTheCommit(t *testing.T) {
	r := newRepository(t)
	got, err := clone(t, git.Source{Repository: "file://" + r.dir, Ref: "main", Into: filepath.Join(t.TempDir(), "clone")})
	if err != nil {
		t.Fatal(err)
	}
	want := git.Commit{
		Repository: "file://" + r.dir, Ref: "main", Hash: r.second, AuthorName: "Ada Löve", AuthorEmail: "ada@example.com",
		Time: time.Date(2024, 5, 6, 5, 8, 9, 0, time.UTC), Subject: "second: a \"subject\" & more",
	}
	if got != want {
		t.Errorf("%+v\nwant\n%+v", got, want)
	}
}

func TestCloneSaysWhichRefDoesNotExist(t *testing.T) {
	r := newRepository(t)
	for _, ref := range []string{"nothing", "refs/tags/main", strings.Repeat("0", 40), "origin/main/x"} {
		_, err := clone(t, git.Source{Repository: r.dir, Ref: ref, Into: filepath.Join(t.TempDir(), "clone")})
		if fairlead.CodeOf(err) != fairlead.NotFound || !strings.Contains(err.Error(), ref) || fairlead.HintOf(err) == "" {
			t.Errorf("%q: %v", ref, err)
		}
	}
}

func TestCloneRefusesARefThatIsBothATagAndABranch(t *testing.T) {
	r := newRepository(t)
	r.git("tag", "main", r.first)
	_, err := clone(t, git.Source{Repository: r.dir, Ref: "main", Into: filepath.Join(t.TempDir(), "clone")})
	if fairlead.CodeOf(err) != fairlead.Conflict || !strings.Contains(fairlead.HintOf(err), "refs/heads/main") {
		t.Errorf("%v", err)
	}
	commit, err := clone(t, git.Source{Repository: r.dir, Ref: "refs/heads/main", Into: filepath.Join(t.TempDir(), "clone")})
	if err != nil || commit.Hash != r.second {
		t.Errorf("%s, %v", commit.Hash, err)
	}
}

func TestCloneOfAnEmptyRepositoryOrOfNoneFails(t *testing.T) {
	r := newRepository(t)
	empty := filepath.Join(t.TempDir(), "empty")
	r.git("init", "--quiet", empty)
	for _, dir := range []string{empty, filepath.Join(t.TempDir(), "none"), "file:///nowhere/at/all"} {
		_, err := clone(t, git.Source{Repository: dir, Into: filepath.Join(t.TempDir(), "clone")})
		if fairlead.CodeOf(err) != fairlead.NotFound {
			t.Errorf("%s: %v", dir, err)
		}
	}
	_, err := clone(t, git.Source{Repository: t.TempDir(), Into: filepath.Join(t.TempDir(), "clone")})
	if fairlead.CodeOf(err) != fairlead.Unavailable || !strings.Contains(err.Error(), "does not ") {
		t.Errorf("a directory that is none: %v", err)
	}
	_, err = clone(t, git.Source{Repository: r.dir, Into: t.TempDir()})
	if fairlead.CodeOf(err) != fairlead.Conflict {
		t.Errorf("into a directory that exists: %v", err)
	}
}

func TestCloneRefusesAddressesAndRefsThatMeanSomethingElse(t *testing.T) {
	r := newRepository(t)
	mark := filepath.Join(t.TempDir(), "mark")
	into := filepath.Join(t.TempDir(), "clone")
	for _, address := range []string{
		"", "-u./x", "--upload-pack=touch " + mark, "ext::sh -c 'touch " + mark + "'", "fd::0", "relative/path", "../x",
		"http://example.com/x", "git://example.com/x", "ssh://-oProxyCommand=touch " + mark + "/x", "ssh:///x", "file://host/x",
		"https://user:password@example.com/x", "https://token@example.com/x", "https:///x", "host.example:\n/x", "-host:x", "EXT::sh",
	} {
		_, err := clone(t, git.Source{Repository: address, Ref: "main", Into: into})
		if fairlead.CodeOf(err) != fairlead.Invalid {
			t.Errorf("%q: %v", address, err)
		}
		if err != nil && (strings.Contains(err.Error(), "password") || strings.Contains(err.Error(), "token@")) {
			t.Errorf("the error repeats the credentials: %v", err)
		}
	}
	for _, ref := range []string{"-x", "--output=" + mark, "a..b", "main^", "main~1", "HEAD@{1}", "a b", ":/first", "a\nb", "x.lock", "/x", "x/", strings.Repeat("x", 300)} {
		if _, err := clone(t, git.Source{Repository: r.dir, Ref: ref, Into: into}); fairlead.CodeOf(err) != fairlead.Invalid {
			t.Errorf("%q: %v", ref, err)
		}
	}
	if _, err := git.Clone(context.Background(), git.Source{Repository: r.dir, Into: "relative"}); fairlead.CodeOf(err) != fairlead.Invalid {
		t.Errorf("a relative target: %v", err)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("a refused address or ref was run")
	}
}

func TestCloneRunsNeitherHooksNorConfigurationNorSubmodules(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	config := filepath.Join(t.TempDir(), "gitconfig")
	content := "[core]\n\thooksPath = " + t.TempDir() + "\n[filter \"evil\"]\n\tsmudge = touch " + mark + "\n[protocol]\n\tallow = always\n"
	if err := os.WriteFile(config, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	other := newRepository(t)
	r := newRepository(t)
	for _, hook := range []string{"post-checkout", "pre-push", "reference-transaction", "post-index-change"} {
		script := "#!/bin/sh\ntouch " + mark + "\n"
		if err := os.WriteFile(filepath.Join(r.dir, ".git", "hooks", hook), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r.git("config", "uploadpack.packObjectsHook", "touch "+mark+";")
	r.git("config", "core.fsmonitor", "touch "+mark)
	r.git("-c", "protocol.file.allow=always", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "submodule", "--quiet", "add", other.dir, "sub")
	if err := os.WriteFile(filepath.Join(r.dir, ".gitattributes"), []byte("* filter=evil\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r.git("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "add", "--all")
	r.git("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "commit", "--quiet", "-m", "traps")
	_ = os.Remove(mark)

	t.Setenv("GIT_CONFIG_GLOBAL", config)
	t.Setenv("GIT_DIR", "/nowhere")
	t.Setenv("GIT_CONFIG_COUNT", "1")
	t.Setenv("GIT_CONFIG_KEY_0", "core.fsmonitor")
	t.Setenv("GIT_CONFIG_VALUE_0", "touch "+mark)
	into := filepath.Join(t.TempDir(), "clone")
	if _, err := clone(t, git.Source{Repository: r.dir, Into: into}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("something of the repository or of the user's configuration was run")
	}
	if inside, _ := os.ReadDir(filepath.Join(into, "sub")); len(inside) > 0 {
		t.Error("the submodule was cloned")
	}
}

func TestCloneRefusesARepositoryOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a repository to another user")
	}
	r := newRepository(t)
	for _, path := range []string{filepath.Join(r.dir, ".git"), r.dir} {
		if err := os.Chown(path, 65534, 65534); err != nil {
			t.Fatal(err)
		}
		for _, address := range []string{r.dir, "file://" + r.dir} {
			_, err := clone(t, git.Source{Repository: address, Into: filepath.Join(t.TempDir(), "clone")})
			if fairlead.CodeOf(err) != fairlead.Forbidden || fairlead.HintOf(err) == "" {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
}

func TestCloneEndsWithItsContext(t *testing.T) {
	r := newRepository(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	into := filepath.Join(t.TempDir(), "clone")
	_, err := git.Clone(ctx, git.Source{Repository: r.dir, Into: into})
	if fairlead.CodeOf(err) != fairlead.Unavailable {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(into); err == nil {
		t.Error("a cancelled clone left something behind")
	}
}
