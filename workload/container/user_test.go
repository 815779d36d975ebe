package container

import (
	"slices"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/reach"
)

func TestAnAppRunsAsItsImagesUserOrAsOneThatNobodyElseIs(t *testing.T) {
	tenant := workload.TenantUser("triage/dev")
	for _, c := range []struct {
		image  string
		loosen *fairlead.Loosen
		own    int
		want   User
	}{
		{"1000", nil, 0, User{1000, 1000}},
		{"1000:50", nil, 0, User{1000, 50}},
		{"1000:staff", nil, 0, User{1000, 1000}},
		{"", nil, 0, User{tenant, tenant}},
		{"0", nil, 0, User{tenant, tenant}},
		{"0:0", nil, 0, User{tenant, tenant}},
		{"00", nil, 0, User{tenant, tenant}},
		{"root", nil, 0, User{tenant, tenant}},
		{"app", nil, 0, User{tenant, tenant}},
		{"-1", nil, 0, User{tenant, tenant}},
		{"", nil, 501, User{501, 501}},
		{"1000", &fairlead.Loosen{Root: true}, 0, User{}},
	} {
		if got := UserOf(c.image, "triage/dev", c.loosen, c.own); got != c.want {
			t.Errorf("an image of %q for user %d, %+v: %v, want %v", c.image, c.own, c.loosen, got, c.want)
		}
	}
}

func TestWhoAnImageNamesIsSaidWhereItsAppRunsAsAnother(t *testing.T) {
	for image, want := range map[string]string{
		"": "no user, which is root", ":50": "no user, which is root", "0": "root", "00:1": "root", "root": "root", "root:root": "root",
		"app": `the user "app", whose number only it knows`, "-1": `the user "-1", whose number only it knows`, "1000": "", "1000:50": "",
	} {
		if got := Replaced(image, nil); got != want {
			t.Errorf("%q: %q, want %q", image, got, want)
		}
		if user := UserOf(image, "triage/dev", nil, 0); (Replaced(image, nil) == "") != (user.UID < 200_000) {
			t.Errorf("%q runs as %v", image, user)
		}
		if got := Replaced(image, &fairlead.Loosen{Root: true}); got != "" {
			t.Errorf("%q that asked for root: %q", image, got)
		}
	}
}

func TestAnInstallationKeepsItsIDAndRefusesABrokenOne(t *testing.T) {
	root := t.TempDir()
	first, err := Owner(root)
	if err != nil || !ownerForm.MatchString(first) {
		t.Fatalf("%q, %v", first, err)
	}
	if again, err := Owner(root); again != first || err != nil {
		t.Errorf("it was %q and is %q, %v", first, again, err)
	}
	if other, err := Owner(t.TempDir()); other == first || err != nil {
		t.Errorf("another one has %q too, %v", other, err)
	}
}

func TestARecipeAsksForNothingThatIsNotAskedFor(t *testing.T) {
	r := recipe{name: "n", user: User{1000, 1000}, command: []string{"./app", "serve"}, env: map[string]string{"PORT": "80"},
		limits: workload.Limits{MilliCPU: 500, Memory: 64 << 20}, files: 100, threads: 10,
		rules:   []reach.Rule{{Host: "db"}, {Host: "localhost"}},
		devices: []workload.Device{{Nodes: []string{"/dev/nvidia0"}, Env: map[string]string{"VISIBLE": "0"}, Mounts: []workload.Mount{{Source: "/lib/x", Path: "/lib/x"}}}}}
	o := r.options(false, []string{"HOME=/home/app"})
	if h := o.HostConfig; h.Privileged || !h.ReadonlyRootfs || !slices.Equal(h.CapDrop, []string{"ALL"}) || len(h.CapAdd) > 0 || !slices.Equal(h.SecurityOpt, []string{"no-new-privileges"}) ||
		h.Memory != 64<<20 || h.MemorySwap != h.Memory || h.NanoCPUs != 5e8 || *h.PidsLimit != workload.MostProcesses || h.NetworkMode != "none" ||
		h.RestartPolicy.Name != "no" || len(h.ExtraHosts) != 1 || h.Devices[0].PathOnHost != "/dev/nvidia0" || h.Mounts[0].Source != "/lib/x" || !h.Mounts[0].ReadOnly {
		t.Errorf("the container would be %+v", h)
	}
	want := []string{"LANG=C.UTF-8", "PORT=80", "TMPDIR=/tmp", "VISIBLE=0"}
	if !slices.Equal(o.Config.Env, want) || o.Config.User != "1000:1000" {
		t.Errorf("its environment is %q, want %q without the image's HOME; its user %s", o.Config.Env, want, o.Config.User)
	}
	r.loosen = fairlead.Loosen{WritableRoot: true, Capabilities: []string{"CHOWN"}, Privileges: true, Seccomp: true, Processes: 9}
	if h := r.options(true, nil).HostConfig; h.ReadonlyRootfs || !slices.Equal(h.CapAdd, []string{"CHOWN"}) || !slices.Equal(h.SecurityOpt, []string{"seccomp=unconfined"}) || *h.PidsLimit != 9 {
		t.Errorf("what was asked for is not so: %+v", h)
	}
}
