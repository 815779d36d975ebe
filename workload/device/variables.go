package device

import (
	"fmt"
	"maps"
	"strings"

	"github.com/fairlead/fairlead/workload"
)

// MemoryEnv is the variable that tells an instance how many bytes of its GPU's memory
// are its part. The vendors' drivers do not enforce it: an app that takes more takes it
// from those that share the GPU with it.
const MemoryEnv = "FAIRLEAD_GPU_MEMORY"

// variables are those by which the vendors' libraries find the devices of one instance
// and no others, with what their descriptions set. Only ids of the GPUs' own are named:
// an instance sees no other device file, so that a GPU without one is found as well.
func variables(given []workload.Device) map[string]string {
	env := map[string]string{}
	ids := map[string][]string{}
	for _, d := range given {
		maps.Copy(env, d.Env)
		if strings.HasPrefix(d.ID, "GPU-") || strings.HasPrefix(d.ID, "MIG-") {
			ids[d.Vendor] = append(ids[d.Vendor], d.ID)
		}
		if d.Memory > 0 {
			env[MemoryEnv] = fmt.Sprint(d.Memory)
		}
	}
	if list := strings.Join(ids[NVIDIA], ","); list != "" {
		env["NVIDIA_VISIBLE_DEVICES"], env["CUDA_VISIBLE_DEVICES"] = list, list
	}
	if list := strings.Join(ids[AMD], ","); list != "" {
		env["ROCR_VISIBLE_DEVICES"] = list
		numbers := make([]string, len(ids[AMD])) // of those that ROCR_VISIBLE_DEVICES leaves
		for i := range numbers {
			numbers[i] = fmt.Sprint(i)
		}
		env["HIP_VISIBLE_DEVICES"] = strings.Join(numbers, ",")
	}
	return env
}
