package local

import (
	"context"
	"github.com/fairlead/fairlead/workload"
)

func (r *Runtime) RunJob(ctx context.Context, job workload.Job) (workload.JobResult, error) {
	return workload.JobResult{}, nil
}
