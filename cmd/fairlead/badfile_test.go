package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

const goodHead = "apiVersion: fairlead.dev/v1\nkind: App\nmetadata: {name: a}\n"

// makeBad writes files that a script cannot hold: makebad.
func makeBad(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: makebad")
	}
	files := map[string]string{
		"latin1.yaml": goodHead + "spec:\n  env:\n    WHO: caf\xe9\n",
		"utf16.yaml":  "\xff\xfea\x00p\x00i\x00",
		"deep.yaml":   strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000),
		"bomb.yaml":   goodHead + bomb(),
	}
	for name, text := range files {
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
	}
	ts.Check(os.WriteFile(ts.MkAbs("huge.yaml"), []byte(goodHead), 0o600))
	ts.Check(os.Truncate(ts.MkAbs("huge.yaml"), 100<<20)) // a hole reads as zeroes
}

// bomb is a spec whose aliases stand for some 10^12 words.
func bomb() string {
	text := strings.Builder{}
	text.WriteString("spec:\n  artifact: {directory: ./dist}\n  command: [./run]\n  env:\n    B0: &b0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i <= 12; i++ {
		fmt.Fprintf(&text, "    B%d: &b%d [%s*b%d]\n", i, i, strings.Repeat(fmt.Sprintf("*b%d, ", i-1), 9), i-1)
	}
	text.WriteString("    WHO: *b12\n")
	return text.String()
}

// fullDisk runs fairlead with a standard output that takes nothing, and demands an
// exit status and one error about it: fulldisk STATUS ARG...
func fullDisk(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: fulldisk STATUS ARG...")
	}
	// sh opens it, for a script's commands have no redirections.
	err := ts.Exec("sh", append([]string{"-c", `exec fairlead "$@" > /dev/full`, "sh"}, args[1:]...)...)
	if got := statusOf(err); got != args[0] {
		ts.Fatalf("fairlead %q to a full disk ended with %s, want %s", args[1:], got, args[0])
	}
	if said := ts.ReadFile("stderr"); !strings.Contains(said, "no space left on device") {
		ts.Fatalf("fairlead %q to a full disk says %q", args[1:], said)
	}
}
