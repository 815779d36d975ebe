package tour

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead"
)

func TestATourOfImagesWithoutAnEngineSaysHowToGetOneAndLeavesNothing(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	program := filepath.Join(t.TempDir(), "none")
	var out bytes.Buffer
	for runtime, want := range map[string]fairlead.Code{"vm": fairlead.Invalid, Container: fairlead.Unavailable} {
		if runtime == Container {
			program = "/proc/self/exe" // linked statically in our builds; where it is not, the tour says so
		}
		err := Run(t.Context(), Options{Program: program, Runtime: runtime, Engine: filepath.Join(temp, "none.sock"), Out: &out, Err: &out, Getenv: func(string) string { return "" }})
		if code := fairlead.CodeOf(err); code != want && code != fairlead.Unsupported || fairlead.HintOf(err) == "" {
			t.Errorf("%s: %v (%s), hint %q", runtime, err, code, fairlead.HintOf(err))
		}
	}
	left, err := os.ReadDir(temp)
	if err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}

func TestAReleaseOfTheTourIsPackedIntoAnImageWithAllItsFiles(t *testing.T) {
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("a program"), 0o755); err != nil {
		t.Fatal(err)
	}
	tour := &tour{options: Options{Program: program, Runtime: Container}, dir: t.TempDir()}
	artifact, err := tour.artifact("v2")
	if err != nil || artifact != "{archive: v2.tar}" {
		t.Fatalf("%q, %v", artifact, err)
	}
	file, err := os.Open(filepath.Join(tour.dir, "releases", "v2.tar"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var inside []string
	for archive := tar.NewReader(file); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(h.Name, "layer.tar") {
			inside = names(t, archive)
		}
	}
	for _, want := range []string{"srv/triage/triage", "srv/triage/model/weights.json", "srv/triage/prompt/reply.txt", "srv/triage/config/triage.json"} {
		if !slices.Contains(inside, want) {
			t.Errorf("the image has %q, and not %s", inside, want)
		}
	}
}

func names(t *testing.T, layer io.Reader) (all []string) {
	t.Helper()
	for archive := tar.NewReader(layer); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, h.Name)
	}
}
