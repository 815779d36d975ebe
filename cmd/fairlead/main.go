// Command fairlead takes an AI application to production safely. One binary is
// the command line, the control plane, the gateway and the shim of an instance;
// which one is decided here, by the first argument.
package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"

	"github.com/fairlead/fairlead/cli"
	"github.com/fairlead/fairlead/examples/triage/serve"
)

// version is set by the linker: -X main.version=v1.2.3.
var version string

func main() { os.Exit(run()) }

func run() int {
	if filepath.Base(os.Args[0]) == "triage" {
		return serve.Main(os.Args[1:], os.Getenv) // the tour releases this binary as its application
	}
	if len(os.Args) > 1 {
		if process, ok := processes()[os.Args[1]]; ok {
			return process(os.Args[2:])
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	std := cli.Std{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv}
	return cli.Run(ctx, os.Args[1:], std, wiring())
}

// buildVersion returns the version that the linker set, or that of the build.
func buildVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	text := info.Main.Version
	if text == "" || text == "(devel)" {
		text = "devel"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && text == "devel" {
			text += "+" + s.Value[:min(12, len(s.Value))]
		}
	}
	return text
}
