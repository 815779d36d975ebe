package device

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/strictyaml"
	"github.com/fairlead/fairlead/workload"
)

// cdiSpec is a description of devices by the Container Device Interface, versions 0.3
// to 1.1 (https://github.com/cncf-tags/container-device-interface/blob/main/SPEC.md).
// JSON is read as the YAML that it is. Fields that it does not know are an error, as
// the specification demands.
type cdiSpec struct {
	Version     string            `json:"cdiVersion"`
	Kind        string            `json:"kind"`
	Annotations map[string]string `json:"annotations"`
	Devices     []cdiDevice       `json:"devices"`
	Edits       cdiEdits          `json:"containerEdits"`
}

type cdiDevice struct {
	Name        string            `json:"name"`
	Annotations map[string]string `json:"annotations"`
	Edits       cdiEdits          `json:"containerEdits"`
}

type cdiEdits struct {
	Env   []string   `json:"env"`
	Nodes []cdiNode  `json:"deviceNodes"`
	Nets  []cdiNet   `json:"netDevices"`
	Hooks []cdiHook  `json:"hooks"` // read, never run: they write to an engine's files
	Mount []cdiMount `json:"mounts"`
	RDT   *cdiRDT    `json:"intelRdt"`
	GIDs  []int      `json:"additionalGids"`
}

type cdiNode struct {
	Path        string `json:"path"`
	HostPath    string `json:"hostPath"`
	Type        string `json:"type"`
	Major       int64  `json:"major"`
	Minor       int64  `json:"minor"`
	FileMode    int64  `json:"fileMode"`
	Permissions string `json:"permissions"`
	UID         int64  `json:"uid"`
	GID         int64  `json:"gid"`
}

type cdiNet struct {
	HostName string `json:"hostInterfaceName"`
	Name     string `json:"name"`
}

type cdiHook struct {
	Name    string   `json:"hookName"`
	Path    string   `json:"path"`
	Args    []string `json:"args"`
	Env     []string `json:"env"`
	Timeout int64    `json:"timeout"`
}

type cdiMount struct {
	HostPath string   `json:"hostPath"`
	Path     string   `json:"containerPath"`
	Options  []string `json:"options"`
	Type     string   `json:"type"`
}

type cdiRDT struct {
	Class      string   `json:"closID"`
	L3         string   `json:"l3CacheSchema"`
	Bandwidth  string   `json:"memBwSchema"`
	CMT        bool     `json:"enableCMT"`
	MBM        bool     `json:"enableMBM"`
	Schemata   []string `json:"schemata"`
	Monitoring bool     `json:"enableMonitoring"`
}

// described is a device as a description names it, with the edits that it shares with
// the others of its file.
type described struct {
	kind, name string
	edits      []cdiEdits
}

// The limits of one description, and of how many files are read.
const (
	mostSpecs  = 32
	mostMounts = 1024
)

// specs reads the descriptions that are there. One that cannot be read is a note. What
// was made since the machine's start (/run) comes before what was laid down (/etc), as
// the specification has it: of two descriptions of one device the first counts.
func (s *search) specs() []described {
	var all []described
	seen := map[string]bool{}
	for _, dir := range []string{"var/run/cdi", "run/cdi", "etc/cdi"} {
		names, err := s.list(dir)
		if err != nil {
			continue // /var/run is a link to /run on most machines
		}
		for _, name := range names[:min(len(names), mostSpecs)] {
			if ext := path.Ext(name); ext != ".json" && ext != ".yaml" && ext != ".yml" {
				continue
			}
			data, err := s.read(dir+"/"+name, mostSpec)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			found, problem := readSpec(data)
			if err != nil || problem != "" {
				s.note("the CDI description /%s/%s is not used: %v%s", dir, name, errText(err), problem)
				continue
			}
			for _, one := range found {
				if key := one.kind + "=" + one.name; !seen[key] {
					seen[key] = true
					all = append(all, one)
				}
			}
		}
	}
	return all
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

var (
	cdiKind = regexp.MustCompile(`^[a-z0-9.-]{1,253}/[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$`)
	cdiName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_.:-]{0,126}[A-Za-z0-9])?$`)
)

// readSpec reads one description, or says what is wrong with it.
func readSpec(data []byte) ([]described, string) {
	document, bad := strictyaml.Parse(data, mostSpec)
	if bad != nil {
		return nil, plain(bad.Text)
	}
	var spec cdiSpec
	if problems := document.Decode(&spec, 1); len(problems) > 0 {
		return nil, plain(problems[0].Path + ": " + problems[0].Text)
	}
	if !cdiKind.MatchString(spec.Kind) {
		return nil, "its kind is no vendor.com/class"
	}
	var all []described
	for _, d := range spec.Devices {
		if !cdiName.MatchString(d.Name) || len(all) == 4*mostDevices {
			return nil, "its devices are too many, or one has no good name"
		}
		if problem := spec.Edits.check() + d.Edits.check(); problem != "" {
			return nil, problem
		}
		all = append(all, described{kind: spec.Kind, name: d.Name, edits: []cdiEdits{d.Edits, spec.Edits}})
	}
	return all, ""
}

// check says what of an edit cannot be taken over, or "".
func (e cdiEdits) check() string {
	if len(e.Mount) > mostMounts || len(e.Nodes) > mostDevices*4 || len(e.Env) > 256 {
		return "it names more files than a GPU has"
	}
	for _, m := range e.Mount {
		if !absolute(m.HostPath) || !absolute(m.Path) {
			return "the mount " + plain(m.Path) + " is not between two absolute paths"
		}
	}
	for _, n := range e.Nodes {
		if !strings.HasPrefix(path.Clean(n.Path), "/dev/") || n.HostPath != "" && !absolute(n.HostPath) {
			return "the node " + plain(n.Path) + " is not below /dev"
		}
	}
	return ""
}

func absolute(p string) bool { return path.IsAbs(p) && path.Clean(p) == p && p != "/" }

// describe completes a device by the description of it alone: one that has its own
// device file and no other GPU's. Names that are ids are preferred to numbers.
func (s *search) describe(d *Device, all []described) {
	own := d.Nodes[0]
	best := -1
	for i, one := range all {
		if !strings.HasPrefix(one.kind, d.Vendor+".com/") || !one.isOf(own) {
			continue
		}
		if best < 0 || one.name == d.ID {
			best = i
		}
	}
	if best >= 0 {
		s.apply(d, all[best])
	}
}

var gpuNode = regexp.MustCompile(`^/dev/(nvidia|dri/renderD)[0-9]{1,4}$`)

// isOf reports whether own is the one GPU's device file that a description has.
func (d described) isOf(own string) bool {
	var gpus []string
	for _, n := range d.edits[0].Nodes {
		if gpuNode.MatchString(n.Path) && (strings.HasPrefix(n.Path, "/dev/nvidia") == strings.HasPrefix(own, "/dev/nvidia")) {
			gpus = append(gpus, n.Path)
		}
	}
	return len(gpus) == 1 && gpus[0] == own
}

// takenNode are the device files that are taken over from a description: those of GPUs
// and of what computes on them, no screens and nothing else of the machine.
var takenNode = regexp.MustCompile(`^/dev/(nvidia([0-9]{1,4}|ctl|-uvm|-uvm-tools|-caps/nvidia-cap[0-9]{1,6})|dri/renderD[0-9]{1,4}|kfd)$`)

// apply takes over what a description says of a device, as far as the machine has it. A
// variable that says which devices are visible is not taken: it depends on what an
// instance has in all.
func (s *search) apply(d *Device, one described) {
	d.CDI = one.kind + "=" + one.name
	d.Nodes = slices.Clone(d.Nodes)
	for _, edits := range one.edits {
		for _, n := range edits.Nodes {
			same := n.HostPath == "" || n.HostPath == n.Path
			if same && takenNode.MatchString(n.Path) && s.isNode(n.Path) && !slices.Contains(d.Nodes, n.Path) {
				d.Nodes = append(d.Nodes, n.Path)
			}
		}
		for _, m := range edits.Mount {
			if !s.isContent(m.HostPath) {
				continue
			}
			s.mount(d, m.HostPath, m.Path)
			for _, name := range s.linksTo(m.HostPath) {
				s.mount(d, path.Join(path.Dir(m.HostPath), name), path.Join(path.Dir(m.Path), name))
			}
		}
		d.Env = withVariables(d.Env, edits.Env)
	}
}

func (s *search) mount(d *Device, source, at string) {
	mount := workload.Mount{Source: rooted(s.inventory.Root, source), Path: at}
	if !slices.Contains(d.Mounts, mount) {
		d.Mounts = append(d.Mounts, mount)
	}
}

// linksTo returns the names beside a library that are links to it, by which programs
// ask for it: libcuda.so.1 for libcuda.so.550.54. An engine makes them by the hooks of a
// description, which are not run here.
func (s *search) linksTo(library string) (names []string) {
	base, _, versioned := strings.Cut(path.Base(library), ".so.")
	if !versioned {
		return nil
	}
	for _, name := range []string{base + ".so", base + ".so.0", base + ".so.1", base + ".so.2"} {
		if s.linkName(strings.TrimPrefix(path.Join(path.Dir(library), name), "/")) == path.Base(library) {
			names = append(names, name)
		}
	}
	return names
}

var envName = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)

// withVariables adds the variables of an edit to env.
func withVariables(env map[string]string, variables []string) map[string]string {
	env = maps.Clone(env)
	for _, variable := range variables {
		name, text, ok := strings.Cut(variable, "=")
		if !ok || !envName.MatchString(name) || strings.HasSuffix(name, "_VISIBLE_DEVICES") || slices.Contains([]string{"PATH", "HOME", "LD_PRELOAD", "LD_AUDIT"}, name) || len(text) > 4096 || strings.ContainsRune(text, 0) {
			continue
		}
		if env == nil {
			env = map[string]string{}
		}
		env[name] = text
	}
	return env
}
