//go:build linux

package local_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/local"
	"github.com/fairlead/fairlead/workload/workloadtest"
)

// volume is a directory that the instances of spec may write to.
func volume(t *testing.T, spec workload.Spec, path string) workload.Volume {
	t.Helper()
	v := workload.Volume{Name: "data", Source: t.TempDir(), Path: path}
	if os.Getuid() == 0 && !plain() {
		user := workload.TenantUser(spec.Site.String())
		if err := os.Chown(v.Source, user, user); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// shell is an instance that runs a script and then stays.
func shell(id string, volumes []workload.Volume, script string) workload.Spec {
	spec := workloadtest.Spec(appDir(), id)
	spec.Command = []string{"sh", "-c", script + "; echo done; exec sleep 1000"}
	spec.Volumes = volumes
	return spec
}

func TestWhatAnAppWritesToAVolumeIsThereForTheNextRelease(t *testing.T) {
	if plain() {
		t.Skip("volumes need namespaces")
	}
	r := open(t, t.TempDir())
	data := volume(t, workloadtest.Spec(appDir(), ""), "/var/lib/triage")
	first := workloadtest.Start(t, r, shell("first", []workload.Volume{data}, "echo one >>/var/lib/triage/log; echo x >/var/lib/other"), nil)
	workloadtest.Eventually(t, func() (bool, string) { log := first.Log(0); return strings.Contains(log, "done"), log })
	if log := first.Log(0); !strings.Contains(log, "/var/lib/other") {
		t.Errorf("beside its volume it could write: %s", log)
	}
	second := workloadtest.Start(t, r, shell("second", []workload.Volume{data}, "cat /var/lib/triage/log"), nil)
	workloadtest.Eventually(t, func() (bool, string) { log := second.Log(0); return strings.Contains(log, "out one"), log })
	content, err := os.ReadFile(filepath.Join(data.Source, "log"))
	if err != nil || string(content) != "one\n" {
		t.Errorf("outside it holds %q, %v", content, err)
	}
}

func TestAVolumeHoldsNoDevicesNoRightsAndNoPrograms(t *testing.T) {
	if plain() {
		t.Skip("volumes need namespaces")
	}
	r := open(t, t.TempDir())
	data := volume(t, workloadtest.Spec(appDir(), ""), "/data")
	i := workloadtest.Start(t, r, shell("one", []workload.Volume{data}, "grep ' /data ' /proc/self/mountinfo; cp /bin/true /data/true; /data/true && echo it ran"), nil)
	workloadtest.Eventually(t, func() (bool, string) { log := i.Log(0); return strings.Contains(log, "done"), log })
	log := i.Log(0)
	for _, want := range []string{"rw", "nosuid", "nodev"} {
		if !strings.Contains(log, want) {
			t.Errorf("the volume is not mounted %s: %s", want, log)
		}
	}
	for _, p := range i.Status().Protections {
		if p.Name == workload.Landlock && p.Enforced && strings.Contains(log, "it ran") {
			t.Errorf("a program of a volume ran: %s", log)
		}
	}
}

func TestAVolumeThatWouldHideTheSandboxIsRefused(t *testing.T) {
	for _, path := range []string{"/", "/app", "/app/data", "/usr", "/etc/triage", "/run", "/run/secrets/x", "/tmp/x", "/dev/shm", "data", "/data/", "/data/../tmp"} {
		spec := workloadtest.Spec(appDir(), "one")
		spec.Volumes = []workload.Volume{{Name: "data", Source: t.TempDir(), Path: path}}
		if err := (local.Sandbox{}).Check(spec); fairlead.CodeOf(err) != fairlead.Invalid {
			t.Errorf("%s: %v", path, err)
		}
	}
	spec := workloadtest.Spec(appDir(), "one")
	spec.Volumes = []workload.Volume{{Name: "a", Source: t.TempDir(), Path: "/data"}, {Name: "b", Source: t.TempDir(), Path: "/data/b"}}
	if err := (local.Sandbox{}).Check(spec); err == nil || !strings.Contains(err.Error(), "lie in each other") {
		t.Error(err)
	}
}

func TestWithoutNamespacesAVolumeIsRefused(t *testing.T) {
	if !plain() {
		t.Skip("there are namespaces here")
	}
	r := open(t, t.TempDir())
	data := volume(t, workloadtest.Spec(appDir(), ""), "/data")
	status := workloadtest.Start(t, r, shell("one", []workload.Volume{data}, "true"), nil).AwaitState(workload.Refused)
	if !strings.Contains(status.LastExit, "volume data cannot be shown at /data: without namespaces") {
		t.Errorf("it was refused with %q", status.LastExit)
	}
}
