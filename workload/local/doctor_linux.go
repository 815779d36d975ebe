package local

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// Probe starts a real sandbox, with limits, around a command that does nothing,
// and returns what this machine enforced. shim is as in Config. It leaves nothing
// behind.
func Probe(ctx context.Context, shim string) (protections []workload.Protection, err error) {
	const op = "probe the sandbox"
	root, err := os.MkdirTemp("", "fairlead-probe-")
	if err != nil {
		return nil, wrap(op, err)
	}
	defer func() { err = wrap(op, errors.Join(err, os.RemoveAll(root))) }()
	work, err := os.MkdirTemp(root, "app-")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(work, 0o755); err != nil {
		return nil, err
	}
	r, err := New(Config{Root: root, Shim: shim, Plain: true})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	result, err := r.RunJob(ctx, workload.Job{
		ID: "probe", Dir: work, Command: []string{"true"}, Timeout: 30 * time.Second,
		Resources: fairlead.Resources{CPU: "1", Memory: "256Mi"}, Sandbox: fairlead.SandboxPreferred,
	})
	return result.Protections, err
}
