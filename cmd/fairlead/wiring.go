package main

import (
	"context"
	"fmt"
	"os"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/cli"
	"github.com/fairlead/fairlead/tour"
	"github.com/fairlead/fairlead/workload"
)

// processes are the other programs in this binary, which Fairlead starts itself.
// Each takes the arguments after its name and returns an exit status.
func processes() map[string]func([]string) int {
	return map[string]func([]string) int{
		"shim":      notBuilt("shim"),
		"shim-init": notBuilt("shim-init"),
		"shim-exec": notBuilt("shim-exec"),
		"gateway":   notBuilt("gateway"),
	}
}

func notBuilt(name string) func([]string) int {
	return func([]string) int {
		fmt.Fprintf(os.Stderr, "fairlead: %s: not in this build\n", name)
		return cli.ExitFailed
	}
}

// wiring lends the command line what only the whole program has.
func wiring() cli.Wiring {
	return cli.Wiring{
		Version: buildVersion(),
		Up:      func(context.Context, cli.UpOptions) error { return missing("up") },
		Doctor:  func(context.Context) ([]workload.Protection, error) { return nil, missing("doctor") },
		Verify: func(context.Context, string) (cli.Verification, error) {
			return cli.Verification{}, missing("ledger verify")
		},
		Replay: func(context.Context, string) (cli.Replay, error) { return cli.Replay{}, missing("ledger replay") },
		Tour:   runTour,
	}
}

// runTour runs the tour with this very binary, which is the example application
// too when it is called by that name.
func runTour(ctx context.Context, o cli.TourOptions, std cli.Std) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	return tour.Run(ctx, tour.Options{
		Program: program, JSON: o.JSON, Keep: o.Keep, Color: o.Color, Out: std.Out, Err: std.Err, Getenv: std.Getenv,
	})
}

func missing(op string) error {
	return fairlead.Errorf(fairlead.Unsupported, op, "it is not in this build")
}
