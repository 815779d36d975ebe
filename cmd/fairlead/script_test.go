package main

import (
	"errors"
	"os/exec"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fairlead/fairlead/examples/triage/release"
)

// statusOf returns the exit status behind an error of running a command.
func statusOf(err error) string {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "0"
	case errors.As(err, &exit):
		return strconv.Itoa(exit.ExitCode())
	}
	return err.Error()
}

// layOut writes a release of the triage example: triage VERSION DIR.
func layOut(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: triage VERSION DIR")
	}
	ts.Check(release.Write(ts.MkAbs(args[1]), ts.Getenv("FAIRLEAD"), args[0]))
}
