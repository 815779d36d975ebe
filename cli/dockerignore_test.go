package cli

import (
	"strings"
	"testing"
)

func TestADockerignoreLeavesOutWhatDockerLeavesOut(t *testing.T) {
	for _, c := range []struct{ file, kept, skipped string }{
		{"*.log\n# a comment\n\n", "a.txt b/c.log", "a.log"},
		{"**/*.log\n", "a.txt", "a.log b/c.log b/d/e.log"},
		{"node_modules\n/build/\n", "src/node_modules/x a", "node_modules/x/y build/a"},
		{"*\n!app\n!conf/*.yaml\n", "app app/x conf/a.yaml", "b conf/a.txt conf/b/c.yaml.d"},
		{"a?c\n[xy]z\n", "ac wz", "abc xz yz"},
		{"docs/**\n!docs/keep.md\n", "docs/keep.md", "docs/a docs/b/c"},
		{"!x\nx\n", "y", "x"},
	} {
		list, err := parseIgnore(c.file)
		if err != nil {
			t.Fatal(err)
		}
		for name := range strings.FieldsSeq(c.kept) {
			if list.skips(name, false) {
				t.Errorf("%q leaves out %s", c.file, name)
			}
		}
		for name := range strings.FieldsSeq(c.skipped) {
			if !list.skips(name, false) {
				t.Errorf("%q keeps %s", c.file, name)
			}
		}
	}
	if _, err := parseIgnore("a[\n"); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("a pattern without an end: %v", err)
	}
	back, err := parseIgnore("*\n!a/b\n")
	if err != nil || back.skips("a", true) {
		t.Errorf("a directory is not looked into, and what is in it comes back: %v", err)
	}
}
