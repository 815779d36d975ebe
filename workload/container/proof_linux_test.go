package container

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// group makes a control group's directory with files.
func group(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// proven is a container that is as it must be.
func proven(t *testing.T) proof {
	return proof{
		secrets: "a file system in memory", run: &run{},
		recipe: recipe{required: true, files: 1024, network: "fairlead-x", asked: fairlead.Resources{Memory: "256Mi", CPU: "1500m"},
			limits: workload.Limits{Memory: 256 << 20, MilliCPU: 1500, Shm: 64 << 20}},
		facts: facts{
			status: map[string]string{"Uid": "100001\t100001\t100001\t100001", "NoNewPrivs": "1", "Seccomp": "2",
				"CapInh": "0000000000000000", "CapPrm": "0000000000000000", "CapEff": "0000000000000000", "CapBnd": "0000000000000000", "CapAmb": "0000000000000000"},
			limits:     map[string]string{"Max core file size": "0", "Max open files": "1024"},
			namespaces: map[string]bool{"mnt": true, "pid": true, "net": true, "ipc": true, "uts": true},
			mounts: map[string]mountFact{"/": {"ro,relatime", "overlay"}, "/tmp": {"rw,nosuid,size=262144k", "tmpfs"},
				"/dev/shm": {"rw,nosuid,size=65536k", "tmpfs"}, insideSecrets: {"ro", "ramfs"}},
			cgroups: []string{group(t, map[string]string{"memory.max": "268435456", "memory.swap.max": "0", "cpu.max": "150000 100000", "pids.max": "512"})},
		},
	}
}

// missing are the protections that are not enforced.
func (p proof) missing() []string {
	missing := []string{}
	for _, one := range p.protections() {
		if !one.Enforced {
			missing = append(missing, one.Name)
		}
	}
	slices.Sort(missing)
	return missing
}

func TestEachProtectionIsProvenByItsOwnFactAlone(t *testing.T) {
	limits := func(files map[string]string) func(*proof) {
		return func(p *proof) { p.facts.cgroups = []string{group(t, files)} }
	}
	status := func(name, text string) func(*proof) { return func(p *proof) { p.facts.status[name] = text } }
	at := func(path, options, kind string) func(*proof) {
		return func(p *proof) { p.facts.mounts[path] = mountFact{options, kind} }
	}
	with := func(name, text string) map[string]string {
		files := map[string]string{"memory.max": "268435456", "memory.swap.max": "0", "cpu.max": "150000 100000", "pids.max": "512"}
		files[name] = text
		return maps.Clone(files)
	}
	for name, c := range map[string]struct {
		spoil func(*proof)
		want  []string
	}{
		"all is as it must be":      {func(*proof) {}, nil},
		"version 1":                 {limits(map[string]string{"memory.limit_in_bytes": "268435456", "memory.memsw.limit_in_bytes": "268435456", "cpu.cfs_quota_us": "75000", "cpu.cfs_period_us": "50000", "pids.max": "512"}), nil},
		"version 1 with swap":       {limits(map[string]string{"memory.limit_in_bytes": "268435456", "memory.memsw.limit_in_bytes": "536870912", "cpu.cfs_quota_us": "75000", "cpu.cfs_period_us": "50000", "pids.max": "512"}), []string{workload.SwapLimit}},
		"no control group":          {func(p *proof) { p.facts.cgroups = nil }, []string{workload.MemoryLimit, workload.SwapLimit, workload.CPULimit, workload.ProcessLimit}},
		"more memory":               {limits(with("memory.max", "268439552")), []string{workload.MemoryLimit}},
		"memory without a limit":    {limits(with("memory.max", "max")), []string{workload.MemoryLimit}},
		"swap":                      {limits(with("memory.swap.max", "max")), []string{workload.SwapLimit}},
		"more cores":                {limits(with("cpu.max", "200000 100000")), []string{workload.CPULimit}},
		"all cores":                 {limits(with("cpu.max", "max 100000")), []string{workload.CPULimit}},
		"more processes":            {limits(with("pids.max", "513")), []string{workload.ProcessLimit}},
		"root":                      {status("Uid", "0\t0\t0\t0"), []string{workload.NonRoot}},
		"root in effect":            {status("Uid", "1000\t0\t1000\t1000"), []string{workload.NonRoot}},
		"a user that is not read":   {status("Uid", ""), []string{workload.NonRoot}},
		"rights to gain":            {status("NoNewPrivs", "0"), []string{workload.NoNewPrivileges}},
		"a filter of its own only":  {status("Seccomp", "1"), []string{workload.Seccomp}},
		"a capability":              {status("CapEff", "0000000000000400"), []string{workload.NoCapabilities}},
		"one that it could get":     {status("CapBnd", "0000000000000001"), []string{workload.NoCapabilities}},
		"an ambient one":            {status("CapAmb", "0000000000000001"), []string{workload.NoCapabilities}},
		"capabilities not read":     {status("CapInh", ""), []string{workload.NoCapabilities}},
		"this machine's processes":  {func(p *proof) { p.facts.namespaces["pid"] = false }, []string{workload.PidNamespace}},
		"this machine's network":    {func(p *proof) { delete(p.facts.namespaces, "net") }, []string{workload.NetworkNamespace}},
		"a root to write to":        {at("/", "rw,relatime,errors=remount-ro", "overlay"), []string{workload.ReadOnlyRoot}},
		"a /tmp on the disk":        {at("/tmp", "rw,size=1k", "ext4"), []string{workload.ScratchLimit}},
		"a /tmp without a bound":    {at("/tmp", "rw", "tmpfs"), []string{workload.ScratchLimit}},
		"a larger /dev/shm":         {at("/dev/shm", "rw,size=655360k", "tmpfs"), []string{workload.ScratchLimit}},
		"secrets on the disk":       {at(insideSecrets, "ro", "ext4"), []string{workload.SecretsInMemory}},
		"cores that are dumped":     {func(p *proof) { p.facts.limits["Max core file size"] = "unlimited" }, []string{workload.NoCoreDumps}},
		"more files":                {func(p *proof) { p.facts.limits["Max open files"] = "4096" }, []string{workload.FileLimit}},
		"a job has no secrets":      {func(p *proof) { p.recipe.job, p.facts.mounts[insideSecrets] = true, mountFact{} }, nil},
		"no limits that are wanted": {func(p *proof) { p.recipe.limits = workload.Limits{Shm: 64 << 20} }, []string{workload.CPULimit, workload.MemoryLimit, workload.SwapLimit}},
	} {
		p := proven(t)
		c.spoil(&p)
		slices.Sort(c.want)
		if got := p.missing(); !slices.Equal(got, c.want) {
			t.Errorf("%s: not enforced are %q, want %q", name, got, c.want)
		}
	}
}

func TestWhatAFileLoosensIsToldAndIsNotDemanded(t *testing.T) {
	for name, loosen := range map[string]fairlead.Loosen{
		workload.NonRoot: {Root: true}, workload.ReadOnlyRoot: {WritableRoot: true}, workload.NoCapabilities: {Capabilities: []string{"CHOWN"}},
		workload.NoNewPrivileges: {Privileges: true}, workload.Seccomp: {Seccomp: true},
	} {
		p := proven(t)
		p.recipe.loosen = loosen
		all := p.protections()
		if got := p.missing(); !slices.Equal(got, []string{name}) || len(p.recipe.lacking(all)) > 0 {
			t.Errorf("%+v: not enforced are %q, and %q is lacking", loosen, got, p.recipe.lacking(all))
		}
		p.recipe.loosen = fairlead.Loosen{}
		if lacking := p.recipe.lacking(all); len(lacking) != 1 {
			t.Errorf("without %s, lacking is %q", name, lacking)
		}
		p.recipe.required = false
		if lacking := p.recipe.lacking(all); len(lacking) > 0 {
			t.Errorf("where nothing is required, lacking is %q", lacking)
		}
	}
	p := proven(t)
	p.recipe.loosen.Processes = 1000
	if got := p.missing(); !slices.Equal(got, []string{workload.ProcessLimit}) {
		t.Errorf("with 1000 asked for and 512 had, not enforced are %q", got)
	}
}

func TestALimitThatIsNotAskedForIsNotDemanded(t *testing.T) {
	for name, c := range map[string]struct {
		asked fairlead.Resources
		want  bool
	}{
		workload.MemoryLimit: {fairlead.Resources{Memory: "1Gi"}, true}, workload.CPULimit: {fairlead.Resources{CPU: "1"}, true},
		workload.SwapLimit: {fairlead.Resources{Memory: "1Gi"}, false},
	} {
		if Required(name, c.asked, fairlead.Loosen{}) != c.want || Required(name, fairlead.Resources{}, fairlead.Loosen{}) {
			t.Errorf("%s is demanded otherwise than where it is asked for", name)
		}
	}
}

func TestAnImageIsKnownByItsRegistryRepositoryAndVersion(t *testing.T) {
	for name, want := range map[string][3]string{
		"redis":                            {"docker.io", "redis", "latest"},
		"redis:7":                          {"docker.io", "redis", "7"},
		"team/web:3":                       {"docker.io", "team/web", "3"},
		"docker.io/team/web":               {"docker.io", "docker.io/team/web", "latest"},
		"localhost/web:3":                  {"localhost", "localhost/web", "3"},
		"registry.example:5000/a/b":        {"registry.example:5000", "registry.example:5000/a/b", "latest"},
		"registry.example:5000/a/b:c":      {"registry.example:5000", "registry.example:5000/a/b", "c"},
		"registry.example/a@sha256:12":     {"registry.example", "registry.example/a", "sha256:12"},
		"registry.example:1/a:7@sha256:12": {"registry.example:1", "registry.example:1/a", "sha256:12"},
	} {
		repository, version := Split(name)
		if got := [3]string{registryOf(name), repository, version}; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for repository, want := range map[string]string{"redis": "docker.io/library/redis@d", "team/web": "docker.io/team/web@d", "localhost/web": "localhost/web@d", "a.b/c": "a.b/c@d"} {
		if got := Pinned(repository, "d"); got != want {
			t.Errorf("%s is pinned as %s, want %s", repository, got, want)
		}
	}
	image := Image{Pinned: []string{"docker.io/team/web-two@sha256:1", "docker.io/team/web@sha256:2", "localhost/web@sha256:3"}}
	for repository, want := range map[string]string{"team/web": "docker.io/team/web@sha256:2", "team/we": "", "localhost/web": "", "web": ""} {
		if got := image.PinnedIn(repository); got != want {
			t.Errorf("of %s it is %q, want %q", repository, got, want)
		}
	}
}

func TestARegistryIsSentItsOwnCredentialsAndNoOthers(t *testing.T) {
	const config = `{"auths": {
		"https://index.docker.io/v1/": {"auth": "aHViOmE6Yg=="},
		"https://full.example/v2/": {"username": "full", "password": "b"},
		"port.example:5000": {"username": "port", "password": "c"},
		"both.example": {"username": "old", "password": "old", "auth": "bmV3Om5ldw=="},
		"nobody.example": {}}}`
	for image, want := range map[string]Credentials{
		"redis":                  {Host: "docker.io", user: "hub", password: "a:b"},
		"full.example/a":         {Host: "full.example", user: "full", password: "b"},
		"port.example:5000/a":    {Host: "port.example:5000", user: "port", password: "c"},
		"both.example/a:1":       {Host: "both.example", user: "new", password: "new"},
		"nobody.example/a":       {},
		"port.example/a":         {},
		"full.example.evil/a":    {},
		"evil/full.example":      {Host: "docker.io", user: "hub", password: "a:b"}, // a repository of docker.io
		"index.docker.io.evil/a": {},
	} {
		got, err := ReadCredentials([]byte(config), image)
		if got != want || (err != nil) != (want == Credentials{}) || (got.header() == "") != (want == Credentials{}) {
			t.Errorf("%s is sent the user %q of %q, %v; want %q of %q", image, got.user, got.Host, err, want.user, want.Host)
		}
	}
	for _, c := range []struct {
		secret string
		images []string
		good   bool
	}{
		{"a:b", []string{"redis", "team/web"}, true}, {"a:b", []string{"redis", "a.example/web"}, false},
		{"a:b", nil, true}, {" {}", []string{"redis", "a.example/web"}, true},
	} {
		if err := ForAll([]byte(c.secret), c.images); (err == nil) != c.good {
			t.Errorf("for %q: %v", c.images, err)
		}
	}
}
