package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/local"
	"github.com/fairlead/fairlead/workload/local/doctor/attack"
	"github.com/fairlead/fairlead/workload/shim"
)

// Run examines this machine. program is a binary whose main calls local.Main and
// attack.Main. An error means that it could not be examined.
func Run(ctx context.Context, program string) (d workload.Diagnosis, err error) {
	defer func() {
		if err != nil {
			err = &fairlead.Error{Code: fairlead.CodeOf(err), Op: "attack the sandbox", Err: err, Hint: fairlead.HintOf(err)}
		}
	}()
	if err := sweep(ctx, program); err != nil {
		return d, fmt.Errorf("remove what an earlier doctor left: %w", err)
	}
	stage, err := NewStage(program)
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, stage.Close()) }()
	runtime, err := shim.New(shim.Config{Root: stage.Run(), Shim: program, Plain: true, Log: slog.New(slog.DiscardHandler), Kinds: shim.Kinds{Sandbox: local.Sandbox{}}})
	if err != nil {
		return d, err
	}
	defer runtime.Close()
	trials, err := examine(ctx, stage, runtime)
	if err != nil {
		return d, err
	}
	d = judge(trials)
	for i := range d.Checks {
		if !d.Checks[i].Enforced {
			d.Checks[i].Hint = hint(d.Checks[i])
		}
	}
	return d, nil
}

// examine tries every kind of sandbox, beside an instance that is to be left alone.
func examine(ctx context.Context, s *Stage, r *shim.Runtime) (trials []trial, err error) {
	end, err := s.start(ctx, r, s.neighbour(), s.secret)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, end()) }()
	one, err := s.tryInstance(ctx, r)
	if err != nil {
		return nil, err
	}
	trials = append(trials, one)
	for _, kind := range []string{attack.Gate, attack.Build} {
		one, err := s.tryJob(ctx, r, kind)
		if err != nil {
			return nil, err
		}
		trials = append(trials, one)
	}
	return trials, nil
}

// start starts an instance and returns how to end and forget it.
func (s *Stage) start(ctx context.Context, r *shim.Runtime, spec workload.Spec, secret []byte) (end func() error, err error) {
	seq := uint64(0)
	order := func() fairlead.Order { seq++; return fairlead.Order{Term: 1, Seq: seq} }
	last := context.WithoutCancel(ctx)
	end = func() error {
		return errors.Join(r.Stop(last, order(), spec.ID, time.Second), r.Remove(last, order(), spec.ID))
	}
	err = r.Start(ctx, order(), spec, workload.Secrets{secretName: slices.Clone(secret)})
	if err != nil {
		return nil, errors.Join(err, end())
	}
	return end, nil
}

// tryInstance has an instance attack, and looks what is left when it has ended.
func (s *Stage) tryInstance(ctx context.Context, r *shim.Runtime) (t trial, err error) {
	spec, err := s.instance()
	if err != nil {
		return t, err
	}
	end, err := s.start(ctx, r, spec, []byte("its own"))
	if err != nil {
		return t, err
	}
	t, err = s.awaitInstance(ctx, r, spec.ID)
	t.attempts = append(t.attempts, s.searchSecret())
	if err := errors.Join(err, end()); err != nil {
		return t, err
	}
	s.survivors(&t)
	return t, nil
}

// awaitInstance waits until an instance has attacked.
func (s *Stage) awaitInstance(ctx context.Context, r *shim.Runtime, id string) (trial, error) {
	t := trial{sandbox: attack.Instance}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		all, err := r.List(ctx)
		if err != nil {
			return t, err
		}
		i := slices.IndexFunc(all, func(s workload.Status) bool { return s.ID == id })
		if i < 0 {
			return t, fmt.Errorf("instance %s is not there", id)
		}
		var log bytes.Buffer
		if err := r.Logs(ctx, id, workload.LogOptions{}, &log); err != nil {
			return t, err
		}
		var complete bool
		t.protections = all[i].Protections
		t.attempts, complete = attack.Attempts(log.Bytes())
		if complete {
			return t, nil
		}
		if state := all[i].State; state.Over() || state == workload.Backoff {
			return t, unfinished(attack.Instance, all[i].LastExit, log.Bytes())
		}
		select {
		case <-ctx.Done():
			return t, fmt.Errorf("the instance did not end its attacks: %w: %s", ctx.Err(), tail(log.Bytes()))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// tryJob has a job attack.
func (s *Stage) tryJob(ctx context.Context, r *shim.Runtime, kind string) (trial, error) {
	t := trial{sandbox: kind}
	job, err := s.Job(kind)
	if err != nil {
		return t, err
	}
	result, err := r.RunJob(ctx, job)
	if err != nil {
		return t, err
	}
	var complete bool
	t.protections = result.Protections
	t.attempts, complete = attack.Attempts(result.Output)
	if !complete {
		return t, unfinished(kind, fmt.Sprintf("exit status %d", result.ExitCode), result.Output)
	}
	s.survivors(&t)
	return t, nil
}

// unfinished is the error of a sandbox whose attacker ended too early, or did not
// even start.
func unfinished(kind, end string, output []byte) error {
	return fairlead.Errorf(fairlead.Internal, "", "the attacks in the %s ended before all were tried (%s): %s", kind, end, tail(output)).
		WithHint("programs must be allowed to run where temporary files are: set TMPDIR to another directory")
}

// tail is the end of an output, for an error.
func tail(output []byte) string {
	return strings.TrimSpace(string(output[max(0, len(output)-300):]))
}

// survivors looks for what has outlived its sandbox, and corrects the attempt that
// left it. It ends what it finds.
func (s *Stage) survivors(t *trial) {
	for _, pid := range processes() {
		arguments, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil || !attack.Lingers(arguments, s.order.Nonce) {
			continue
		}
		if process, err := os.FindProcess(pid); err == nil {
			process.Kill() // it ends by itself soon anyway
		}
		for i := range t.attempts {
			if a := &t.attempts[i]; a.Attack == attack.Outlive {
				a.Outcome, a.Happened = workload.Succeeded, fmt.Sprintf("process %d went on", pid)
			}
		}
	}
}

// searchSecret looks for the other instance's secret in everything that Fairlead
// wrote, and in the arguments and variables of every process that may be looked at.
func (s *Stage) searchSecret() workload.Attempt {
	a := workload.Attempt{
		Attack: "find a secret in files or arguments", Against: []string{workload.SecretsInMemory},
		In: []string{attack.Instance}, Outcome: workload.Stopped, Happened: "it is in none",
	}
	var found string
	_ = filepath.WalkDir(s.dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && entry.Name() != programFile && entry.Name() != attack.SetGroupFile && contains(path, s.secret) {
			found = path
		}
		return nil // a file that is gone meanwhile holds nothing
	})
	for _, pid := range processes() {
		for _, name := range []string{"cmdline", "environ"} {
			if path := fmt.Sprintf("/proc/%d/%s", pid, name); contains(path, s.secret) {
				found = path
			}
		}
	}
	if found != "" {
		a.Outcome, a.Happened = workload.Succeeded, "it is in "+found
	}
	return a
}

func contains(path string, secret []byte) bool {
	data, err := os.ReadFile(path)
	return err == nil && bytes.Contains(data, secret)
}

// processes lists all that are seen here.
func processes() []int {
	entries, _ := os.ReadDir("/proc")
	var all []int
	for _, entry := range entries {
		var pid int
		if _, err := fmt.Sscanf(entry.Name(), "%d", &pid); err == nil {
			all = append(all, pid)
		}
	}
	return all
}
