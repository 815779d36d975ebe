package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/fairlead/fairlead/cli"
	"github.com/fairlead/fairlead/gateway"
	"github.com/fairlead/fairlead/ledger/verify"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/server"
	"github.com/fairlead/fairlead/store/sqlite"
	"github.com/fairlead/fairlead/tour"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/container"
	enginedoctor "github.com/fairlead/fairlead/workload/container/doctor"
	"github.com/fairlead/fairlead/workload/local"
	"github.com/fairlead/fairlead/workload/local/doctor"
	"github.com/fairlead/fairlead/workload/local/doctor/attack"
	"github.com/fairlead/fairlead/workload/shim"
)

// processes are the other programs in this binary, which Fairlead starts itself.
// Each takes the arguments after its name and returns an exit status.
func processes() map[string]func([]string) int {
	sandboxed := func(name string) func([]string) int {
		return func(args []string) int { return local.Main(name, args) }
	}
	return map[string]func([]string) int{
		shim.Name:           func(args []string) int { return shim.Main(args, server.Kinds()) },
		local.InitName:      sandboxed(local.InitName),
		local.ExecName:      sandboxed(local.ExecName),
		container.InitName:  container.Init,
		container.RelayName: container.Relay,
		attack.Name:         attack.Main,
		"gateway":           runGateway,
	}
}

func runGateway(args []string) int {
	if err := gateway.Main(args); err != nil {
		fmt.Fprintln(os.Stderr, "fairlead gateway:", err)
		return cli.ExitFailed
	}
	return cli.ExitDone
}

// wiring lends the command line what only the whole program has.
func wiring() cli.Wiring {
	return cli.Wiring{
		Version:       buildVersion(),
		Up:            up,
		Down:          down,
		AwaitEnd:      server.AwaitEnd,
		Doctor:        examine,
		ExamineEngine: examineEngine,
		Verify:        verifyLedger,
		Prove:         proveEntry,
		Replay:        replayLedger,
		Tour:          runTour,
	}
}

func up(ctx context.Context, o cli.UpOptions) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	return server.Run(ctx, server.Config{
		State: o.State, Listen: o.Listen, API: o.API, Program: program, Version: buildVersion(),
		AllowUnsandboxed: o.AllowUnsandboxed, Engine: o.Engine, DeviceRoot: o.DeviceRoot, Log: o.Log,
		Ready: func(a server.Addresses) {
			o.Ready(cli.Addresses{Gateway: a.Gateway, API: a.API, State: o.State, Pid: os.Getpid()})
		},
	})
}

func down(ctx context.Context, o cli.DownOptions) (cli.Ended, error) {
	program, err := os.Executable()
	if err != nil {
		return cli.Ended{}, fmt.Errorf("find this program: %w", err)
	}
	ended, err := server.Down(ctx, server.Config{
		State: o.State, Program: program, Version: buildVersion(), Log: slog.New(slog.DiscardHandler),
	}, o.Force)
	return cli.Ended{Gateway: ended.Gateway, Instances: ended.Instances}, err
}

// examine attacks this machine's sandbox with this very binary.
func examine(ctx context.Context) (workload.Diagnosis, error) {
	program, err := os.Executable()
	if err != nil {
		return workload.Diagnosis{}, fmt.Errorf("find this program: %w", err)
	}
	return doctor.Run(ctx, program)
}

// examineEngine has a container engine run a probe under this very binary.
func examineEngine(ctx context.Context, socket string) (workload.EngineDiagnosis, error) {
	program, err := os.Executable()
	if err != nil {
		return workload.EngineDiagnosis{}, fmt.Errorf("find this program: %w", err)
	}
	switch {
	case socket == "":
		socket = container.Find(os.Getenv)
	case filepath.IsAbs(socket):
		socket = "unix://" + socket
	}
	return enginedoctor.Run(ctx, program, socket)
}

// verifyLedger checks the ledger of a state directory from its files alone; a
// server may be running over it.
func verifyLedger(ctx context.Context, o cli.VerifyOptions) (v cli.Verification, err error) {
	reader, err := sqlite.OpenReadOnly(o.State)
	if err != nil {
		return v, err
	}
	defer func() {
		if closeErr := reader.Close(); err == nil {
			err = closeErr
		}
	}()
	if o.Key == "" {
		if o.Key, err = reader.VerifierKey(); err != nil {
			return v, err
		}
	}
	result, err := verify.Check(ctx, reader, verify.Options{VerifierKey: o.Key, Witnessed: o.Checkpoints})
	if err != nil {
		return v, err
	}
	v = cli.Verification{
		Ledger: result.Origin, Entries: result.Entries, Checkpoints: uint64(result.Checkpoints), Rows: uint64(result.Rows),
		Facts: result.Facts, Verified: result.OK(),
	}
	for _, finding := range result.Findings {
		v.Problems = append(v.Problems, finding.String())
	}
	return v, nil
}

// proveEntry reads an entry of a state directory with its proof, from the files alone.
func proveEntry(ctx context.Context, stateDir string, seq uint64) (p cli.Proof, err error) {
	reader, err := sqlite.OpenReadOnly(stateDir)
	if err != nil {
		return p, err
	}
	defer func() {
		if closeErr := reader.Close(); err == nil {
			err = closeErr
		}
	}()
	key, err := reader.VerifierKey()
	if err != nil {
		return p, err
	}
	proof, leaf, err := reader.Inclusion(ctx, seq)
	if err != nil {
		return p, err
	}
	return cli.NewProof(proof, leaf, key), nil
}

// replayLedger computes every decision in a state directory's ledger again.
func replayLedger(ctx context.Context, stateDir string) (r cli.Replay, err error) {
	reader, err := sqlite.OpenReadOnly(stateDir)
	if err != nil {
		return r, err
	}
	defer func() {
		if closeErr := reader.Close(); err == nil {
			err = closeErr
		}
	}()
	result, err := rollout.Replay(ctx, reader)
	if err != nil {
		return r, err
	}
	return cli.Replay{
		Rollouts: uint64(result.Rollouts), Decisions: uint64(result.Decisions),
		Replayed: result.Difference == "", Difference: result.Difference,
	}, nil
}

// runTour runs the tour with this very binary, which is the example application
// too when it is called by that name.
func runTour(ctx context.Context, o cli.TourOptions, std cli.Std) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	return tour.Run(ctx, tour.Options{
		Program: program, Runtime: o.Runtime, Engine: o.Engine, JSON: o.JSON, Keep: o.Keep, Color: o.Color, In: std.In, Out: std.Out, Err: std.Err, Getenv: std.Getenv,
	})
}
