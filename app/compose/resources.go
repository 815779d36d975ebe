package compose

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/fairlead/fairlead"
)

// resources carries what a service may take of the machine, and how many instances it has.
type resources struct{ *carrying }

// deploy carries the limits, the devices and the number of instances.
func (c resources) deploy() error {
	d := c.service.Deploy
	written, _ := c.written["deploy"].(map[string]any)
	for _, name := range sortedNames(written) {
		path := "deploy." + name
		switch name {
		case "resources":
			c.limitsOf(d.Resources.Limits)
			c.reserved(d.Resources.Reservations)
		case "replicas":
			c.replicas(path, c.service.GetScale())
		case "update_config", "rollback_config":
			c.note(Changed, path, path, "how a release enters is spec.environments[].strategy: a canary that must prove itself", "")
		case "restart_policy":
			c.restartPolicy(d.RestartPolicy)
		case "mode":
			if d.Mode != "replicated" {
				c.note(Lost, path, "deploy.mode: "+d.Mode, "an app has the number of instances that its environment says", "write replicas")
			}
		case "labels", "endpoint_mode":
			c.note(Idle, path, path, "it means something to a swarm only", "")
		case "placement":
			c.note(Lost, path, path, "everything runs on this one machine", "")
		default:
			if !strings.HasPrefix(name, "x-") {
				c.note(Lost, path, path, "an App has nothing like it", "")
			}
		}
	}
	return nil
}

func (c resources) limitsOf(limits *types.Resource) {
	if limits == nil {
		return
	}
	if limits.NanoCPUs > 0 {
		c.setCPU("deploy.resources.limits.cpus", float64(limits.NanoCPUs))
	}
	if limits.MemoryBytes > 0 {
		c.setMemory("deploy.resources.limits.memory", int64(limits.MemoryBytes))
	}
	if limits.Pids > 0 {
		hardening(c).setProcesses("deploy.resources.limits.pids", limits.Pids)
	}
	c.devices("deploy.resources.limits.devices", limits.Devices)
}

func (c resources) reserved(reserved *types.Resource) {
	if reserved == nil {
		return
	}
	const path = "deploy.resources.reservations"
	if reserved.NanoCPUs > 0 && c.spec.Resources.CPU == "" {
		c.note(Lost, path+".cpus", "deploy.resources.reservations.cpus", "what an app is accounted with is its limit", "write spec.resources.cpu")
	}
	if reserved.MemoryBytes > 0 && c.spec.Resources.Memory == "" {
		c.note(Lost, path+".memory", "deploy.resources.reservations.memory", "what an app is accounted with is its limit", "write spec.resources.memory")
	}
	c.devices(path+".devices", reserved.Devices)
	if len(reserved.GenericResources) > 0 {
		c.note(Lost, path+".generic_resources", path+".generic_resources", "cpu, memory and gpu are what an app asks for", "")
	}
}

func (c resources) setCPU(path string, cores float64) {
	text := strconv.FormatFloat(cores, 'f', -1, 64)
	if milli := cores * 1000; milli != float64(int64(cores))*1000 {
		text = fmt.Sprintf("%.0fm", milli)
	}
	if wrong := c.offer("spec.resources.cpu", func(s *fairlead.AppSpec) { s.Resources.CPU = text }); wrong != "" {
		c.note(Lost, path, "cpus", wrong, "write spec.resources.cpu")
		return
	}
	c.carried(strings.Split(path, ".")[0])
}

func (c resources) setMemory(path string, bytes int64) {
	if wrong := c.offer("spec.resources.memory", func(s *fairlead.AppSpec) { s.Resources.Memory = amount(bytes) }); wrong != "" {
		c.note(Lost, path, "memory", wrong, "write spec.resources.memory")
		return
	}
	c.carried(strings.Split(path, ".")[0])
}

// amount writes bytes in the largest unit that divides them.
func amount(bytes int64) string {
	for _, unit := range []struct {
		name string
		size int64
	}{{"Ti", 1 << 40}, {"Gi", 1 << 30}, {"Mi", 1 << 20}, {"Ki", 1 << 10}} {
		if bytes >= unit.size && bytes%unit.size == 0 {
			return fmt.Sprint(bytes/unit.size, unit.name)
		}
	}
	return fmt.Sprint(bytes)
}

func (c resources) cpus() error {
	c.setCPU("cpus", float64(c.service.CPUS))
	return nil
}

func (c resources) memory() error {
	c.setMemory("mem_limit", int64(c.service.MemLimit))
	return nil
}

func (c resources) gpus() error {
	c.devices("gpus", c.service.Gpus)
	return nil
}

// runtime carries the runtime that gives a container all NVIDIA devices.
func (c resources) runtime() error {
	if c.service.Runtime != "nvidia" {
		c.note(Lost, "runtime", "runtime: "+c.service.Runtime, "instances run in the engine's own runtime", "check whether the app needs another")
		return nil
	}
	if c.spec.Resources.GPU == nil {
		c.devices("runtime", []types.DeviceRequest{{Driver: "nvidia", Count: -1}})
	}
	return nil
}

// devices carries requests for GPUs.
func (c resources) devices(path string, requests []types.DeviceRequest) {
	for i, r := range requests {
		at := fmt.Sprintf("%s.%d", path, i)
		gpu := slices.ContainsFunc(r.Capabilities, func(s string) bool { return s == "gpu" || s == "nvidia" || s == "compute" })
		if !gpu && r.Driver != "nvidia" && r.Driver != "amd" && path != "gpus" {
			c.note(Lost, at, "devices: "+strings.Join(r.Capabilities, ", "), "GPUs are the devices that an app asks for", "")
			continue
		}
		c.gpu(at, r)
	}
}

func (c resources) gpu(at string, r types.DeviceRequest) {
	gpu := fairlead.GPU{Count: int(r.Count)}
	if r.Driver == "nvidia" || r.Driver == "amd" {
		gpu.Vendor = r.Driver
	}
	if len(r.IDs) > 0 {
		gpu.Count = len(r.IDs)
		c.note(Changed, at, "devices: device_ids", fmt.Sprintf("which devices it gets is chosen when it starts, and kept; it asks for %d", gpu.Count), "")
	}
	all := gpu.Count < 0
	switch {
	case gpu.Count == 0:
		c.note(Idle, at, "devices: count: 0", "it asks for no device", "")
		return
	case all:
		gpu.Count = 1
	}
	if c.spec.Resources.GPU != nil {
		c.note(Lost, at, "devices: gpu: another request", "an app asks for devices once, and the first request is written", "write all that it needs in spec.resources.gpu")
		return
	}
	if wrong := c.offer("spec.resources.gpu", func(s *fairlead.AppSpec) { s.Resources.GPU = &gpu }); wrong != "" {
		c.note(Lost, at, "devices: gpu", wrong, "write spec.resources.gpu")
		return
	}
	c.carried(strings.Split(at, ".")[0])
	if all {
		c.note(Decide, at, "devices: count: all", "an app says how many devices it needs, and 1 was written", "write the number")
		c.remark("spec.resources.gpu.count", "TODO: compose gave it all devices; say how many it needs.")
	}
	c.note(Decide, at, "devices: gpu", "a canary needs a device of its own beside the old release's",
		"where the machine has too few, write strategy: {type: replace}, or shrink: true where several instances run")
	if env := c.environmentSpec(); env.Strategy.Type == "" {
		c.remark("spec.environments", "TODO: a canary needs another GPU beside the old release's. Where there is none, add to the\nenvironment strategy: {type: replace}, by which the new release starts when the old one has ended.")
	}
}

func (c resources) scale() error {
	c.replicas("scale", c.service.GetScale())
	return nil
}

func (c resources) replicas(path string, n int) {
	switch {
	case n == 0:
		c.note(Lost, path, path+": 0", "an app has at least one instance", "do not deploy it")
	case n == 1:
		c.carried(strings.Split(path, ".")[0])
	case n > 100:
		c.environmentSpec().Replicas = 100
		c.note(Lost, path, fmt.Sprintf("%s: %d", path, n), "an app has at most 100 instances", "")
	default:
		c.environmentSpec().Replicas = n
		c.carried(strings.Split(path, ".")[0])
	}
}

// grace carries the time that an instance has to end.
func (c resources) grace() error {
	d := fairlead.Duration(*c.service.StopGracePeriod)
	if wrong := c.offer("spec.drain", func(s *fairlead.AppSpec) { s.Drain = d }); wrong != "" || d == 0 {
		c.note(Lost, "stop_grace_period", "stop_grace_period", "an instance has the default of 30s", "write spec.drain")
		return nil
	}
	c.carried("stop_grace_period")
	return nil
}

func (c resources) restart() error {
	return c.restarting("restart", c.service.Restart)
}

func (c resources) restartPolicy(policy *types.RestartPolicy) {
	if policy == nil {
		return
	}
	condition := map[string]string{"none": "no", "any": "always", "": "always"}[policy.Condition]
	if condition == "" {
		condition = policy.Condition
	}
	_ = c.restarting("deploy.restart_policy", condition) // it only tells
	if policy.MaxAttempts != nil || policy.Delay != nil && time.Duration(*policy.Delay) > 0 {
		c.note(Changed, "deploy.restart_policy", "deploy.restart_policy: delay, max_attempts", "an instance that ends is started again after growing pauses, for as long as its release runs", "")
	}
}

// restarting tells what becomes of a restart policy: an instance is always started again.
func (c resources) restarting(path, policy string) error {
	name := strings.Split(path, ".")[0]
	switch base, _, _ := strings.Cut(policy, ":"); base {
	case "always", "unless-stopped":
		c.carried(name)
	case "on-failure":
		c.note(Changed, path, path+": "+policy, "an instance is started again however it ended, after growing pauses", "")
	default:
		c.note(Lost, path, path+": "+policy, "an app goes on: an instance that ends is started again", "if it is to run once, make it a gate or run it before a deploy")
	}
	return nil
}
