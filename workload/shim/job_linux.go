package shim

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
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
	kind, err := r.config.Kinds.of(job.Image)
	if err == nil {
		err = checkRun(job.Command, job.Env, job.Sandbox, job.Resources, job.Network)
	}
	if err == nil {
		err = kind.CheckJob(job)
	}
	if err != nil {
		return workload.JobResult{}, wrap(op, err)
	}
	h := r.at.job(job.ID)
	if err := os.Mkdir(string(h), 0o700); errors.Is(err, fs.ErrExist) {
		return workload.JobResult{}, fairlead.Errorf(fairlead.Conflict, op, "it runs already")
	} else if err != nil {
		return workload.JobResult{}, wrap(op, err)
	}
	result, err := r.runJob(ctx, kind, h, job)
	return result, wrap(op, errors.Join(err, discard(context.WithoutCancel(ctx), r.config.Kinds, h)))
}

func (r *Runtime) runJob(ctx context.Context, kind Kind, h home, job workload.Job) (workload.JobResult, error) {
	me, err := self()
	if err != nil {
		return workload.JobResult{}, err
	}
	if err := WriteNote(h.record(), me); err != nil {
		return workload.JobResult{}, err
	}
	out, err := newOutputs()
	if err != nil {
		return workload.JobResult{}, err
	}
	tail := &tailBuffer{most: 1 << 20}
	out.copyInto(tail)
	began := time.Now()
	result, err := inBody(ctx, kind, Plan{Home: string(h), Program: r.config.Shim, Job: &job, Out: out.stdout, Err: out.stderr, Plain: r.config.Plain})
	out.close()
	result.Took = time.Since(began)
	result.Output = append(tail.bytes(), result.Output...)
	return result, err
}

// inBody runs a job's command to its end, and leaves nothing of it running.
func inBody(ctx context.Context, kind Kind, plan Plan) (result workload.JobResult, failed error) {
	body, err := kind.Open(ctx, plan)
	var refused *Refusal
	if errors.As(err, &refused) {
		result.Protections = refused.Protections
		return result, fairlead.Errorf(fairlead.Unsupported, "", "%s", refused.Reason).WithHint("fairlead doctor says what this machine can enforce")
	}
	if err != nil {
		return result, err
	}
	defer func() { failed = errors.Join(failed, body.Close()) }()
	return awaitJob(ctx, body, plan.Job.Timeout)
}

// awaitJob starts the job's command and waits for its end, or kills it.
func awaitJob(ctx context.Context, body Body, timeout time.Duration) (workload.JobResult, error) {
	result := workload.JobResult{ExitCode: -1}
	if err := body.Start(); err != nil {
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
		case e, ok := <-body.Events():
			switch {
			case !ok:
				return result, errors.New("its sandbox was killed")
			case e.Kind == Started || e.Kind == Failed:
				result.Protections = e.Protections
			case e.Kind == Refused:
				result.Protections = e.Protections
				return result, fairlead.Errorf(fairlead.Unsupported, "", "%s", e.Error)
			case e.Kind == Exited:
				if result.ExitCode = e.Code; e.Error != "" {
					result.ExitCode, result.Output = 127, fmt.Appendln(nil, e.Error)
				}
				return result, nil
			}
		}
	}
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
