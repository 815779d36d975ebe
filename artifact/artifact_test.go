package artifact_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/artifact"
)

func open(t testing.TB) (*artifact.Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	store, err := artifact.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { writable(dir) })
	return store, dir
}

// writable lets the test's directory be removed: trees are read-only.
func writable(dir string) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(path, 0o700)
		}
		return nil
	})
}

// files makes a directory of the given files. A value that begins with "-> " is a
// link; a name that ends with "*" is executable.
func files(t testing.TB, content map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range content {
		mode := fs.FileMode(0o640)
		if strings.HasSuffix(name, "*") {
			name, mode = strings.TrimSuffix(name, "*"), 0o750
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, link := strings.CutPrefix(text, "-> "); link {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte(text), mode)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func demand(t testing.TB, err error, code fairlead.Code, text string) {
	t.Helper()
	if err == nil || fairlead.CodeOf(err) != code || !strings.Contains(err.Error(), text) {
		t.Errorf("error %v (%s), want %s with %q", err, fairlead.CodeOf(err), code, text)
	}
}

func TestABlobIsReadAsItWasPut(t *testing.T) {
	store, _ := open(t)
	ctx := context.Background()
	for _, content := range []string{"", "hello", strings.Repeat("x", 1<<20)} {
		digest, size, err := store.Put(ctx, strings.NewReader(content))
		if err != nil || size != int64(len(content)) || digest != fairlead.DigestOf([]byte(content)) {
			t.Fatalf("Put: %s, %d, %v", digest, size, err)
		}
		if again, _, err := store.Put(ctx, strings.NewReader(content)); err != nil || again != digest {
			t.Fatalf("putting it twice: %s, %v", again, err)
		}
		blob, err := store.Open(digest)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(iotest.OneByteReader(io.LimitReader(blob, 1000)))
		rest, err2 := io.ReadAll(blob)
		if err != nil || err2 != nil || string(got)+string(rest) != content {
			t.Errorf("read %d bytes, %v, %v", len(got)+len(rest), err, err2)
		}
		if err := blob.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestABlobThatIsNotWhatWasExpectedLeavesNothing(t *testing.T) {
	store, dir := open(t)
	ctx := context.Background()
	digest := fairlead.DigestOf([]byte("right"))
	demand(t, store.PutExpect(ctx, digest, strings.NewReader("wrong")), fairlead.Invalid, "not "+string(digest))
	demand(t, store.PutExpect(ctx, "sha256:../../x", strings.NewReader("")), fairlead.Invalid, "not a digest")
	_, _, err := store.Put(ctx, iotest.ErrReader(io.ErrUnexpectedEOF))
	demand(t, err, fairlead.Internal, "unexpected EOF")
	if store.Has(digest) || store.Has(fairlead.DigestOf([]byte("wrong"))) {
		t.Error("a refused blob is there")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*", "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := store.PutExpect(ctx, digest, strings.NewReader("right")); err != nil || !store.Has(digest) {
		t.Errorf("the right content is refused: %v", err)
	}
}

func TestACorruptBlobIsNoticedWhenItIsRead(t *testing.T) {
	store, dir := open(t)
	digest, _, err := store.Put(context.Background(), strings.NewReader("content"))
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, filepath.Join(dir, "blobs", digest.Hex()[:2], digest.Hex()), "c0ntent")
	blob, err := store.Open(digest)
	if err != nil {
		t.Fatal(err)
	}
	defer blob.Close()
	_, err = io.ReadAll(blob)
	demand(t, err, fairlead.Corrupt, string(digest))
}

func overwrite(t *testing.T, path, content string) {
	t.Helper()
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestMissingNamesEachBlobOnce(t *testing.T) {
	store, _ := open(t)
	ctx := context.Background()
	have, _, err := store.Put(ctx, strings.NewReader("a"))
	if err != nil {
		t.Fatal(err)
	}
	b, c := fairlead.DigestOf([]byte("b")), fairlead.DigestOf([]byte("c"))
	missing, err := store.Missing(ctx, []fairlead.Digest{c, have, b, c})
	if err != nil || fmt.Sprint(missing) != fmt.Sprint([]fairlead.Digest{c, b}) {
		t.Errorf("missing %v, %v", missing, err)
	}
	if _, err := store.Missing(ctx, []fairlead.Digest{"x"}); fairlead.CodeOf(err) != fairlead.Invalid {
		t.Errorf("a malformed digest: %v", err)
	}
	if _, err := store.Open(b); fairlead.CodeOf(err) != fairlead.NotFound {
		t.Errorf("opening a missing blob: %v", err)
	}
}

func TestATreeIsMaterialisedReadOnlyAndAsItWas(t *testing.T) {
	store, _ := open(t)
	ctx := context.Background()
	source := files(t, map[string]string{
		"bin/run*": "#!/bin/sh\n", "model/deep/weights.bin": "123", "again.bin": "123", "empty": "",
		"current": "-> model/deep", "bin/config": "-> ../current/weights.bin", ".git/HEAD": "x", "sub/.git": "gitdir: x", ".env": "A=1",
	})
	digest, m, err := store.PutTree(ctx, source)
	if err != nil {
		t.Fatal(err)
	}
	if m.Digest() != digest || m.Size() != 3+3+10+3 || len(m.Blobs()) != 4 {
		t.Errorf("manifest %+v", m)
	}
	path, err := store.Materialise(ctx, digest)
	if err != nil {
		t.Fatal(err)
	}
	want := `. dr-xr-xr-x
.env -r--r--r-- "A=1"
again.bin -r--r--r-- "123"
bin dr-xr-xr-x
bin/config -> ../current/weights.bin
bin/run -r-xr-xr-x "#!/bin/sh\n"
current -> model/deep
empty -r--r--r-- ""
model dr-xr-xr-x
model/deep dr-xr-xr-x
model/deep/weights.bin -r--r--r-- "123"
`
	if got := listing(t, path); got != want {
		t.Errorf("the tree is\n%swant\n%s", got, want)
	}
	if again, err := store.Materialise(ctx, digest); err != nil || again != path {
		t.Errorf("again: %s, %v", again, err)
	}
	if same, err := artifact.Scan(ctx, path, artifact.Limits{}); err != nil || same.Digest() != digest {
		t.Errorf("the tree's own digest is %s, %v; want %s", same.Digest(), err, digest)
	}
	if f, ok := m.Find("bin/run"); !ok || !f.Executable {
		t.Errorf("Find: %+v, %v", f, ok)
	}
	if _, ok := m.Find("bin"); ok {
		t.Error("Find finds a directory")
	}
}

func listing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		switch {
		case info.IsDir():
			fmt.Fprintln(&b, name, info.Mode())
		case info.Mode().IsRegular():
			content, err := os.ReadFile(path)
			fmt.Fprintf(&b, "%s %s %q\n", name, info.Mode(), content)
			return err
		default:
			target, err := os.Readlink(path)
			fmt.Fprintln(&b, name, "->", target)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTheDigestOfATreeIsThatOfItsContentAlone(t *testing.T) {
	ctx := context.Background()
	scan := func(content map[string]string) fairlead.Digest {
		m, err := artifact.Scan(ctx, files(t, content), artifact.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return m.Digest()
	}
	base := scan(map[string]string{"a": "1", "b/c": "2"})
	if base != scan(map[string]string{"b/c": "2", "a": "1"}) {
		t.Error("the same tree has two digests")
	}
	for what, other := range map[string]map[string]string{
		"content": {"a": "1", "b/c": "3"}, "name": {"a": "1", "b/d": "2"}, "mode": {"a*": "1", "b/c": "2"}, "link": {"a": "-> b/c", "b/c": "2"},
	} {
		if scan(other) == base {
			t.Errorf("another %s has the same digest", what)
		}
	}
}

func TestLinksThatLeaveTheTreeAreNamed(t *testing.T) {
	for name, content := range map[string]map[string]string{
		"absolute":           {"bad": "-> /etc/passwd"},
		"parent":             {"sub/bad": "-> ../../x"},
		"top's parent":       {"bad": "-> .."},
		"by way of a link":   {"a/up": "-> ..", "bad": "-> a/up/.."},
		"by an absolute one": {"bad": "-> zabs/x", "zabs": "-> /"},
		"in a circle":        {"bad": "-> bae", "bae": "-> bad"},
	} {
		_, err := artifact.Scan(context.Background(), files(t, content), artifact.Limits{})
		t.Run(name, func(t *testing.T) { demand(t, err, fairlead.Invalid, "the link \"") })
		if name != "in a circle" && err != nil && !strings.Contains(err.Error(), "bad") {
			t.Errorf("%s: %v does not name the link", name, err)
		}
	}
	inside := map[string]string{"d/e/f": "1", "d/l": "-> ../d/./e//f", "x": "-> d/l", "dangling": "-> nothing", "up": "-> d/e/../..", "self": "-> ."}
	if _, err := artifact.Scan(context.Background(), files(t, inside), artifact.Limits{}); err != nil {
		t.Errorf("links that stay inside are refused: %v", err)
	}
}

func TestOnlyFilesDirectoriesAndLinksAreScanned(t *testing.T) {
	dir := files(t, map[string]string{"ok": "1"})
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := artifact.Scan(context.Background(), dir, artifact.Limits{})
	demand(t, err, fairlead.Invalid, `"pipe" is a named pipe`)
	if err := os.Remove(pipe); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir) // socket paths are short
	socket, err := net.Listen("unix", "socket")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	_, err = artifact.Scan(context.Background(), ".", artifact.Limits{})
	demand(t, err, fairlead.Invalid, `"socket" is a socket`)
}

func TestTheLimitsOfATreeHold(t *testing.T) {
	ctx := context.Background()
	dir := files(t, map[string]string{"a": "12345", "b": "12345", "c": "12345"})
	if _, err := artifact.Scan(ctx, dir, artifact.Limits{Files: 3, Bytes: 15}); err != nil {
		t.Error(err)
	}
	_, err := artifact.Scan(ctx, dir, artifact.Limits{Files: 2})
	demand(t, err, fairlead.Invalid, "more than 2 files")
	_, err = artifact.Scan(ctx, dir, artifact.Limits{Bytes: 14})
	demand(t, err, fairlead.Invalid, "more than 14 bytes")
	_, err = artifact.Scan(ctx, filepath.Join(dir, "a"), artifact.Limits{})
	demand(t, err, fairlead.Invalid, "not a directory")
	_, err = artifact.Scan(ctx, filepath.Join(dir, "none"), artifact.Limits{})
	demand(t, err, fairlead.NotFound, "none")
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := artifact.Scan(cancelled, dir, artifact.Limits{}); err == nil {
		t.Error("a cancelled scan goes on")
	}
}

func TestManyAtOnceMaterialiseOneTree(t *testing.T) {
	store, dir := open(t)
	ctx := context.Background()
	content := map[string]string{"run*": "x"}
	for i := range 50 {
		content[fmt.Sprintf("d%d/f%d", i%5, i)] = fmt.Sprint(i % 7)
	}
	digest, _, err := store.PutTree(ctx, files(t, content))
	if err != nil {
		t.Fatal(err)
	}
	second, err := artifact.Open(dir) // another process's view
	if err != nil {
		t.Fatal(err)
	}
	paths := make([]string, 8)
	var wg sync.WaitGroup
	for i := range paths {
		wg.Go(func() {
			s := store
			if i%2 == 1 {
				s = second
			}
			path, err := s.Materialise(ctx, digest)
			if err != nil {
				t.Error(err)
			}
			paths[i] = path
		})
	}
	wg.Wait()
	for _, path := range paths {
		if path != paths[0] {
			t.Errorf("two paths: %s and %s", path, paths[0])
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "trees", ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestATreeOfACorruptBlobIsNotMade(t *testing.T) {
	for _, name := range []string{"plain", "program*"} {
		store, dir := open(t)
		digest, m, err := store.PutTree(context.Background(), files(t, map[string]string{name: "content", "other/x": "y"}))
		if err != nil {
			t.Fatal(err)
		}
		f, _ := m.Find(strings.TrimSuffix(name, "*"))
		overwrite(t, filepath.Join(dir, "blobs", f.Digest.Hex()[:2], f.Digest.Hex()), "c0ntent")
		_, err = store.Materialise(context.Background(), digest)
		demand(t, err, fairlead.Corrupt, f.Digest.Hex())
		if left, _ := filepath.Glob(filepath.Join(dir, "trees", "*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

func TestAManifestNeedsItsBlobs(t *testing.T) {
	store, _ := open(t)
	ctx := context.Background()
	m, err := artifact.Scan(ctx, files(t, map[string]string{"a": "1", "b": "2"}), artifact.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Put(ctx, strings.NewReader("1")); err != nil {
		t.Fatal(err)
	}
	_, err = store.PutManifest(ctx, m)
	demand(t, err, fairlead.Conflict, "1 of its blobs")
	if _, _, err := store.Put(ctx, strings.NewReader("2")); err != nil {
		t.Fatal(err)
	}
	digest, err := store.PutManifest(ctx, m)
	if err != nil {
		t.Fatal(err)
	}
	lying := artifact.Manifest{Files: []artifact.File{m.Files[0]}}
	lying.Files[0].Size = 7
	digest2, err := store.PutManifest(ctx, lying)
	if err != nil || digest2 == digest {
		t.Fatal(digest2, err)
	}
	_, err = store.Materialise(ctx, digest2)
	demand(t, err, fairlead.Invalid, `"a" has 1 bytes, not 7`)
	_, err = store.Materialise(ctx, fairlead.DigestOf([]byte("none")))
	demand(t, err, fairlead.NotFound, "not in the artifact store")
}

func TestParseManifestRefusesWhatNoScanWrites(t *testing.T) {
	d := string(fairlead.DigestOf(nil))
	file := func(path string) string { return `{"path":"` + path + `","digest":"` + d + `"}` }
	link := func(path, target string) string { return `{"path":"` + path + `","link":"` + target + `"}` }
	for name, list := range map[string]string{
		"absolute path":           file("/etc/passwd"),
		"path above":              file("../x"),
		"path not clean":          file("a/./b"),
		"the top itself":          file("."),
		"no path":                 file(""),
		"NUL":                     file(`a\u0000b`),
		"not in order":            file("b") + "," + file("a"),
		"twice":                   file("a") + "," + file("a"),
		"below a file":            file("a") + "," + file("a/b"),
		"below a link":            link("a", "b") + "," + file("a/b"),
		"below, apart":            link("a", "b") + "," + file("a-x") + "," + file("a/b"),
		"link out":                link("a", "../b"),
		"no content":              `{"path":"a"}`,
		"malformed digest":        `{"path":"a","digest":"sha256:x"}`,
		"negative size":           `{"path":"a","size":-1,"digest":"` + d + `"}`,
		"too large":               `{"path":"a","size":99999999999999,"digest":"` + d + `"}`,
		"link and file":           `{"path":"a","digest":"` + d + `","link":"b"}`,
		"unknown field":           `{"path":"a","digest":"` + d + `","mode":"4755"}`,
		"space, so not canonical": " " + file("a"),
	} {
		if _, err := artifact.ParseManifest([]byte(`{"files":[` + list + `]}`)); fairlead.CodeOf(err) != fairlead.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := `{"files":[` + file("a") + "," + link("b", "a") + `]}`
	if m, err := artifact.ParseManifest([]byte(good)); err != nil || string(m.JSON()) != good {
		t.Errorf("a good one: %v", err)
	}
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(`{"files":[{"path":"a","link":"b/../c"},{"path":"b","link":"."}]}`))
	f.Add([]byte(`{"files":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := artifact.ParseManifest(data)
		if err == nil && !bytes.Equal(m.JSON(), data) {
			t.Fatal("accepted, though not canonical")
		}
	})
}

func TestSweepRemovesWhatACrashLeftAndTreesThatNothingNeeds(t *testing.T) {
	store, dir := open(t)
	made := map[string]fairlead.Digest{}
	for _, name := range []string{"needed", "orphan"} {
		digest, _, err := store.PutTree(t.Context(), files(t, map[string]string{"sub/" + name: name}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Materialise(t.Context(), digest); err != nil {
			t.Fatal(err)
		}
		made[name] = digest
	}
	half := filepath.Join(dir, "trees", ".making-1", "sub")
	if err := errors.Join(os.MkdirAll(half, 0o700), os.WriteFile(filepath.Join(dir, "tmp", "blob-1"), nil, 0o600), os.Chmod(half, 0o555)); err != nil {
		t.Fatal(err)
	}
	if err := store.Sweep(map[fairlead.Digest]bool{made["needed"]: true}); err != nil {
		t.Fatal(err)
	}
	trees, _ := filepath.Glob(filepath.Join(dir, "trees", "*"))
	hidden, _ := filepath.Glob(filepath.Join(dir, "trees", ".*"))
	temporary, _ := filepath.Glob(filepath.Join(dir, "tmp", "*"))
	if len(trees) != 1 || filepath.Base(trees[0]) != made["needed"].Hex() || len(hidden)+len(temporary) > 0 {
		t.Errorf("left: %v %v %v", trees, hidden, temporary)
	}
	if _, err := store.Materialise(t.Context(), made["orphan"]); err != nil {
		t.Errorf("a tree that was swept away cannot be made again: %v", err)
	}
}
