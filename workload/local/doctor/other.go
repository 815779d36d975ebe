//go:build !linux

package doctor

import (
	"context"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// Run is unsupported here: there is no sandbox to attack.
func Run(context.Context, string) (workload.Diagnosis, error) {
	return workload.Diagnosis{}, fairlead.Errorf(fairlead.Unsupported, "attack the sandbox", "instances run on Linux only").WithHint("run fairlead on Linux, or in a Linux virtual machine")
}
