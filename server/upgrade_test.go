package server

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAProgramIsTheSameByItsContentNotByItsPath(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ours := file("ours", "build 1")
	for name, c := range map[string]struct {
		other string
		same  bool
	}{
		"itself":                    {ours, true},
		"a copy":                    {file("copy", "build 1"), true},
		"another of the same size":  {file("other", "build 2"), false},
		"another of different size": {file("longer", "build 10"), false},
	} {
		if same, err := sameProgram(c.other, ours); err != nil || same != c.same {
			t.Errorf("%s: same %t, %v", name, same, err)
		}
	}
	if _, err := sameProgram(filepath.Join(dir, "gone"), ours); err == nil {
		t.Error("a program that is not there is compared")
	}
}
