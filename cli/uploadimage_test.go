package cli

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/artifact"
	"github.com/fairlead/fairlead/cli/clitest"
)

// fileTree makes files, and the directories that they are in, below a new directory.
func fileTree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// uploaded returns the files of the only tree that a server was sent, with what they hold.
func uploaded(t *testing.T, server *clitest.Server) map[string]string {
	t.Helper()
	blobs := server.Blobs()
	for _, blob := range blobs {
		var tree artifact.Manifest
		if json.Unmarshal(blob, &tree) != nil || len(tree.Files) == 0 {
			continue
		}
		files := map[string]string{}
		for _, f := range tree.Files {
			files[f.Path] = string(blobs[f.Digest])
		}
		return files
	}
	t.Fatalf("among %d blobs there is no tree", len(blobs))
	return nil
}

func built(artifact string) string {
	return "apiVersion: fairlead.dev/v1\nkind: App\nmetadata: {name: triage}\nspec:\n  artifact: " + artifact + "\n"
}

func TestOfADockerfilesContextOnlyWhatItsDockerignoreLeavesIsUploaded(t *testing.T) {
	w := newWorld(t)
	server := w.serve(20, "production")
	dir := fileTree(t, map[string]string{
		"triage.yaml": built("{dockerfile: src/Dockerfile}"), "src/Dockerfile": "FROM scratch\n",
		"src/.dockerignore": "**/*.log\nsecrets\nDockerfile\n!secrets/public.pem\n*.md\n!README.md\n",
		"src/main.go":       "main", "src/deep/down/run.log": "log", "src/deep/down/code.go": "code",
		"src/secrets/key.pem": "private", "src/secrets/public.pem": "public", "src/NOTES.md": "notes", "src/README.md": "readme",
	})
	if status, out, errOut := w.run("deploy", "-f", filepath.Join(dir, "triage.yaml")); status != ExitDone {
		t.Fatalf("status %d: %s%s", status, out, errOut)
	}
	files := uploaded(t, server)
	for _, name := range []string{"Dockerfile", "main.go", "deep/down/code.go", "secrets/public.pem", "README.md"} {
		if _, sent := files[name]; !sent {
			t.Errorf("%s is not sent", name)
		}
	}
	for _, name := range []string{"deep/down/run.log", "secrets/key.pem", "NOTES.md"} {
		if _, sent := files[name]; sent {
			t.Errorf("%s is sent", name)
		}
	}
	for _, blob := range server.Blobs() {
		if slices.Contains([]string{"log", "private", "notes"}, string(blob)) {
			t.Errorf("the content of a file that is left out is sent: %s", blob)
		}
	}
}

func TestADockerfileOutsideOfItsContextIsSentWithIt(t *testing.T) {
	w := newWorld(t)
	server := w.serve(20, "production")
	dir := fileTree(t, map[string]string{
		"triage.yaml": built("{dockerfile: ops/Dockerfile, context: src}"), "ops/Dockerfile": "FROM scratch\nCOPY main.go /\n",
		"ops/Dockerfile.dockerignore": "*.log\n", "src/.dockerignore": "main.go\n", "src/main.go": "main", "src/run.log": "log", "ops/other": "other",
	})
	if status, out, errOut := w.run("deploy", "-f", filepath.Join(dir, "triage.yaml")); status != ExitDone {
		t.Fatalf("status %d: %s%s", status, out, errOut)
	}
	files := uploaded(t, server)
	_, log := files["run.log"]
	_, other := files["other"]
	dockerfiles := 0
	for _, content := range files {
		if content == "FROM scratch\nCOPY main.go /\n" {
			dockerfiles++
		}
	}
	if dockerfiles != 1 || files["main.go"] != "main" || log || other {
		t.Errorf("sent is %v", files)
	}
}

func TestAHostileDockerignoreEndsSoon(t *testing.T) {
	names := map[string]string{"triage.yaml": built("{dockerfile: src/Dockerfile}"), "src/Dockerfile": "FROM scratch\n"}
	for i := range 50 {
		names["src/"+strings.Repeat("a/", 20)+strings.Repeat("b", 100)+string(rune('A'+i))] = "x"
	}
	for what, c := range map[string]struct{ ignore, says string }{
		"too large":            {strings.Repeat("a\n", 600_000), "more than 1048576 bytes"},
		"too many lines":       {strings.Repeat("?\n", 500_000), "patterns"},
		"one endless pattern":  {strings.Repeat("**/", 340_000) + "x\n", "pattern"},
		"one of many wildcard": {strings.Repeat("*a", 500_000) + "\n", "pattern"},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			server := w.serve(20, "production")
			names["src/.dockerignore"] = c.ignore
			dir := fileTree(t, names)
			status, _, errOut := w.run("deploy", "-f", filepath.Join(dir, "triage.yaml"))
			if status != ExitFailed || !strings.Contains(errOut, c.says) || !strings.Contains(errOut, ".dockerignore") || len(errOut) > 1000 {
				t.Errorf("status %d, %.500s", status, errOut)
			}
			if n := len(server.Blobs()); n != 0 {
				t.Errorf("%d blobs are sent", n)
			}
		})
	}
}
