package container

import (
	"fmt"
	"maps"
	"net/netip"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/reach"
)

// insideSecrets is where an app finds its secrets.
const insideSecrets = "/run/secrets"

// insideGate is where the first process of a container finds a FIFO: a byte comes when
// the app may start.
const insideGate = "/.fairlead/gate"

// recipe is all that decides what a container is.
type recipe struct {
	job     bool   // rather than an instance
	name    string // in the engine
	labels  map[string]string
	image   workload.Image
	user    User
	command []string
	env     map[string]string
	workDir string
	network string // by name; nothing means none
	mounts  []mount.Mount
	devices []workload.Device
	port    int // at which an instance listens
	asked   fairlead.Resources
	limits  workload.Limits // of what is asked
	files   int64           // open files of one process
	threads int64           // of the user on the whole machine
	loosen  fairlead.Loosen
	rules   []reach.Rule
	names   string // file of this machine that is the container's hosts file, for Podman

	required bool // that it has all its protections
}

// processes is the highest number of processes and threads.
func (r recipe) processes() int64 {
	if r.loosen.Processes > 0 {
		return int64(r.loosen.Processes)
	}
	return workload.MostProcesses
}

// options are what an engine is asked for. podman says which engine it is, imageEnv
// what the image sets.
func (r recipe) options(podman bool, imageEnv []string) client.ContainerCreateOptions {
	return client.ContainerCreateOptions{
		Name: r.name,
		Config: &container.Config{
			Image: string(r.image.ID), User: r.user.String(), WorkingDir: r.workDir, Labels: r.labels,
			Entrypoint: append([]string{InsideInit, InitName}, r.command...), Cmd: []string{},
			Env: r.environ(imageEnv), AttachStdout: true, AttachStderr: true,
			Healthcheck: &container.HealthConfig{Test: []string{"NONE"}}, // the shim asks
			StopSignal:  "SIGTERM",
		},
		HostConfig: r.hostConfig(podman),
	}
}

// environ adds what every app finds in a sandbox, unless its image says otherwise.
func (r recipe) environ(imageEnv []string) []string {
	env := map[string]string{"HOME": "/tmp", "TMPDIR": "/tmp", "LANG": "C.UTF-8"}
	for _, variable := range imageEnv {
		name, _, _ := strings.Cut(variable, "=")
		delete(env, name) // the engine sets it
	}
	for _, device := range r.devices {
		maps.Copy(env, device.Env)
	}
	maps.Copy(env, r.env)
	return workload.Environ(env)
}

// noServer is where a container asks for names outside: nobody answers there. An
// engine's own server would pass the question on to the machine's, and with it
// whatever an app writes into a name.
var noServer = netip.AddrFrom4([4]byte{127, 0, 0, 1})

func (r recipe) hostConfig(podman bool) *container.HostConfig {
	processes := r.processes()
	config := &container.HostConfig{
		NetworkMode:    container.NetworkMode(r.networkMode()),
		RestartPolicy:  container.RestartPolicy{Name: container.RestartPolicyDisabled},
		LogConfig:      logConfig(podman),
		CapDrop:        []string{"ALL"},
		CapAdd:         r.loosen.Capabilities,
		SecurityOpt:    r.securityOptions(),
		ReadonlyRootfs: !r.loosen.WritableRoot,
		Tmpfs:          map[string]string{"/tmp": fmt.Sprintf("rw,nosuid,nodev,noexec,mode=1777,size=%d", workload.TempSize)},
		ShmSize:        r.limits.Shm,
		IpcMode:        container.IPCModePrivate,
		DNS:            []netip.Addr{noServer},
		DNSSearch:      []string{"."}, // and none of this machine's own
		ExtraHosts:     r.hosts(),
		Mounts:         r.allMounts(),
	}
	config.Resources = container.Resources{
		PidsLimit: &processes,
		Memory:    r.limits.Memory, MemorySwap: r.limits.Memory,
		NanoCPUs: r.limits.MilliCPU * 1e6,
		Ulimits: []*container.Ulimit{
			{Name: "core", Soft: 0, Hard: 0},
			{Name: "nofile", Soft: r.files, Hard: r.files},
		},
	}
	if podman { // it asks for more by itself than it may have the right to give
		config.Resources.Ulimits = append(config.Resources.Ulimits, &container.Ulimit{Name: "nproc", Soft: r.threads, Hard: r.threads})
	}
	r.addDevices(config)
	return config
}

func (r recipe) networkMode() string {
	if r.network == "" {
		return "none"
	}
	return r.network
}

// logConfig bounds what the engine keeps of an app's output, which the shim takes as
// it comes: enough to hand over what was said while the engine was away.
func logConfig(podman bool) container.LogConfig {
	if podman {
		return container.LogConfig{Type: "k8s-file", Config: map[string]string{"max-size": "1m"}}
	}
	return container.LogConfig{Type: "local", Config: map[string]string{"max-size": "1m", "max-file": "1", "compress": "false"}}
}

func (r recipe) securityOptions() []string {
	var options []string
	if !r.loosen.Privileges {
		options = append(options, "no-new-privileges")
	}
	if r.loosen.Seccomp {
		options = append(options, "seccomp=unconfined")
	}
	return options
}

// hosts are the names that the app may reach, with their addresses inside.
func (r recipe) hosts() []string {
	var hosts []string
	seen := map[string]bool{}
	for _, rule := range r.rules {
		if line := rule.Host + ":" + rule.At.String(); rule.Host != rule.At.String() && rule.Host != "localhost" && !seen[line] {
			seen[line] = true
			hosts = append(hosts, line)
		}
	}
	return hosts
}

// bind is a mount of a file or directory of this machine.
func bind(source, target string, readOnly bool) mount.Mount {
	return mount.Mount{Type: mount.TypeBind, Source: source, Target: target, ReadOnly: readOnly,
		BindOptions: &mount.BindOptions{Propagation: mount.PropagationRPrivate}}
}
