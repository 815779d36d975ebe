package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// RunJob implements workload.JobRunner. The job ends with the Runtime's process,
// if that dies. A command that cannot be started has exit code 127, as in a shell.
// While a writable job runs as root, its directory belongs to the job's user.
func (r *Runtime) RunJob(ctx context.Context, job workload.Job) (workload.JobResult, error) {
	op := "run job " + job.ID
	if !idForm.MatchString(job.ID) {
		return workload.JobResult{}, fairlead.Errorf(fairlead.Invalid, op, "%q is not an id: at most 80 of [a-z0-9-]", job.ID)
	}
	if job.Timeout <= 0 {
		return workload.JobResult{}, fairlead.Errorf(fairlead.Invalid, op, "it has no time limit")
	}
	if err := checkRun(job.Dir, job.Command, job.Env, job.Sandbox, job.Resources, job.Network); err != nil {
		return workload.JobResult{}, wrap(op, err)
	}
	h := home(filepath.Join(r.jobs(), job.ID))
	if err := os.Mkdir(string(h), 0o700); errors.Is(err, fs.ErrExist) {
		return workload.JobResult{}, fairlead.Errorf(fairlead.Conflict, op, "it runs already")
	} else if err != nil {
		return workload.JobResult{}, wrap(op, err)
	}
	result, err := r.runJob(ctx, h, job)
	return result, wrap(op, errors.Join(err, discard(h)))
}

func (r *Runtime) runJob(ctx context.Context, h home, job workload.Job) (workload.JobResult, error) {
	me, err := self()
	if err != nil {
		return workload.JobResult{}, err
	}
	if err := writeJSON(h.record(), me); err != nil {
		return workload.JobResult{}, err
	}
	left, err := noteOutside(h, job.ID)
	if err != nil {
		return workload.JobResult{}, err
	}
	limits, err := parseLimits(job.Resources)
	if err != nil {
		return workload.JobResult{}, err
	}
	for protection, controller := range map[string]string{MemoryLimit: "memory", CPULimit: "cpu", ProcessLimit: "pids"} {
		if slices.Contains(r.without, protection) {
			delete(left.parents, controller)
		}
	}
	group := newCgroup(left.parents, left.name, job.Resources, limits)
	out, err := newOutputs()
	if err != nil {
		return workload.JobResult{}, errors.Join(err, group.close())
	}
	tail := &tailBuffer{most: 1 << 20}
	out.copyInto(tail)
	began := time.Now()
	result, err := r.inBox(ctx, h, job, group, out, left.Scratch)
	out.close()
	result.Took = time.Since(began)
	result.Output = append(tail.bytes(), result.Output...)
	return result, errors.Join(err, group.close())
}

// inBox runs the job's command to its end, and leaves nothing of it running.
func (r *Runtime) inBox(ctx context.Context, h home, job workload.Job, group *cgroup, out *outputs, scratch string) (result workload.JobResult, failed error) {
	reach, err := parseReach(job.Network)
	if err != nil {
		return result, err
	}
	tenant := "job/" + job.ID
	lent := false
	b, err := openBox(ctx, boxPlan{
		program: r.config.Shim, tenant: tenant,
		setup: setup{Name: "job", Stage: h.stage(), Dir: job.Dir, Writable: job.Writable, Command: job.Command, Reach: reach},
		out:   out.stdout, err: out.stderr, cgroup: group,
		required: job.Sandbox == fairlead.SandboxRequired, plain: r.config.Plain, without: r.without, asked: job.Resources, scratch: scratch,
		adjust: func(s *setup) error {
			env := baseEnv(*s)
			maps.Copy(env, job.Env)
			s.Env = environ(env)
			if s.Writable && s.Namespaces && s.UID != 0 {
				lent = true
				return own(job.Dir, TenantUser(tenant))
			}
			return nil
		},
	})
	if lent {
		defer func() { failed = errors.Join(failed, own(job.Dir, os.Getuid())) }()
	}
	var refused *refusal
	if errors.As(err, &refused) {
		result.Protections = refused.protections
		return result, fairlead.Errorf(fairlead.Unsupported, "", "%s", refused.reason).WithHint("fairlead doctor says what this machine can enforce")
	}
	if err != nil {
		return result, err
	}
	defer b.close()
	return awaitJob(ctx, b, job.Timeout)
}

// awaitJob starts the job's command and waits for its end, or kills it.
func awaitJob(ctx context.Context, b *box, timeout time.Duration) (workload.JobResult, error) {
	result := workload.JobResult{ExitCode: -1}
	if err := b.start(); err != nil {
		return result, err
	}
	limit := time.NewTimer(timeout)
	defer limit.Stop()
	for {
		select {
		case <-ctx.Done():
			return result, ctx.Err()
		case <-limit.C:
			result.TimedOut = true
			return result, nil
		case e, ok := <-b.events:
			switch {
			case !ok:
				return result, errors.New("its sandbox was killed")
			case e.Kind == "started" || e.Kind == "failed":
				result.Protections = b.merge(e.Protections)
			case e.Kind == "refused":
				result.Protections = b.merge(e.Protections)
				return result, fairlead.Errorf(fairlead.Unsupported, "", "%s", e.Error)
			case e.Kind == "exited":
				if result.ExitCode = e.Code; e.Error != "" {
					result.ExitCode, result.Output = 127, fmt.Appendln(nil, e.Error)
				}
				return result, nil
			}
		}
	}
}

// own gives a tree to a user. It changes links themselves, never what they name.
func own(dir string, user int) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, user, user)
	})
}

// tailBuffer keeps the last bytes written to it. It is safe for concurrent use.
type tailBuffer struct {
	most int
	mu   sync.Mutex
	kept []byte
}

// Write implements io.Writer. It never fails.
func (t *tailBuffer) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if len(t.kept) > 2*t.most {
		t.kept = append(t.kept[:0], t.kept[len(t.kept)-t.most:]...)
	}
	return len(p), nil
}

func (t *tailBuffer) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.kept[max(0, len(t.kept)-t.most):]
}
