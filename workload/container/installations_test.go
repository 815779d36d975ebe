//go:build linux

package container_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/container"
	"github.com/fairlead/fairlead/workload/workloadtest"
)

// TestTwoInstallationsOnOneEngineDoNotMeet has two of them run an app of the same name in
// an environment of the same name, with instances of the same name, from the same image.
func TestTwoInstallationsOnOneEngineDoNotMeet(t *testing.T) {
	eachEngine(t, func(t *testing.T, w world) {
		ours, theirs := t.TempDir(), filepath.Join(t.TempDir(), "theirs")
		if err := os.Mkdir(theirs, 0o755); err != nil {
			t.Fatal(err)
		}
		r, other := openRuntime(t, ours), openRuntime(t, theirs)
		spec := w.spec("one", "serve")
		spec.Env = map[string]string{"LISTEN": "0.0.0.0"}
		workloadtest.Start(t, r, spec, workload.Secrets{"key": []byte("ours")}).AwaitState(workload.Ready)
		workloadtest.Start(t, other, spec, workload.Secrets{"key": []byte("theirs")}).AwaitState(workload.Ready)
		mine, its := w.containerOf(t, ours, "one"), w.containerOf(t, theirs, "one")
		if mine.ID == its.ID {
			t.Fatal("both have one container")
		}

		url := "http://" + mine.address(t) + ":8080/"
		if line := w.fetched(t, r, spec.Site, fairlead.Network{}, "beside", url)[0]; !strings.HasPrefix(line, "200 OK") {
			t.Errorf("the same installation does not reach it: %s", line)
		}
		if line := w.fetched(t, other, spec.Site, fairlead.Network{}, "beside", url)[0]; !strings.HasPrefix(line, "error:") {
			t.Errorf("the other installation reaches it: %s", line)
		}
		secret, err := os.ReadFile(fmt.Sprintf("/proc/%d/root/run/secrets/key", its.State.Pid))
		if err != nil || string(secret) != "theirs" {
			t.Errorf("the other one's secret is %q, %v", secret, err)
		}

		runsStill := func(what, root, name, id string) {
			t.Helper()
			if found := w.containerOf(t, root, name); found.ID != id || found.State.Pid == 0 {
				t.Errorf("%s: the other's container is %+v, it was %s", what, found, id)
			}
			owner, err := container.Owner(root)
			if err != nil {
				t.Fatal(err)
			}
			if names := w.networks(t, owner); len(names) != 1 {
				t.Errorf("%s: the other's networks are %v", what, names)
			}
		}
		if err := (container.Containers{}).Sweep(t.Context(), ours); err != nil {
			t.Error(err)
		}
		runsStill("a sweep", theirs, "one", its.ID)
		if err := r.Stop(t.Context(), workloadtest.Order(), "beside", 0); err != nil {
			t.Error(err)
		}
		if err := r.Stop(t.Context(), workloadtest.Order(), "one", 0); err != nil {
			t.Error(err)
		}
		w.nothingOf(t, ours)
		runsStill("the end of all of one installation", theirs, "one", its.ID)

		// The other's state directory is removed under it, and another made at its path.
		workloadtest.Start(t, r, w.spec("two", "serve"), nil).AwaitState(workload.Ready)
		mine = w.containerOf(t, ours, "two")
		if err := os.Rename(theirs, theirs+".gone"); err != nil {
			t.Fatal(err)
		}
		if err := (container.Containers{}).Sweep(t.Context(), theirs); err != nil {
			t.Errorf("a sweep of what is gone: %v", err)
		}
		if err := os.Mkdir(theirs, 0o755); err != nil {
			t.Fatal(err)
		}
		again := openRuntime(t, theirs)
		workloadtest.Start(t, again, spec, nil).AwaitState(workload.Ready)
		if found := w.containerOf(t, theirs, "one"); found.ID == its.ID || found.ID == mine.ID {
			t.Errorf("the new installation has taken the container %s", found.ID)
		}
		runsStill("a third installation", ours, "two", mine.ID)
		if err := again.Stop(t.Context(), workloadtest.Order(), "one", 0); err != nil {
			t.Error(err)
		}
		w.nothingOf(t, theirs)
		if err := os.RemoveAll(theirs); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(theirs+".gone", theirs); err != nil {
			t.Fatal(err)
		}
		runsStill("the end of the third", theirs, "one", its.ID)
		for _, id := range []string{"beside", "one"} {
			if err := other.Stop(t.Context(), workloadtest.Order(), id, 0); err != nil {
				t.Error(err)
			}
		}
		w.nothingOf(t, theirs)
		runsStill("the end of the other", ours, "two", mine.ID)
	})
}

// nothingOf fails when the engine has a container or a network of the installation over
// root.
func (w world) nothingOf(t *testing.T, root string) {
	t.Helper()
	owner, err := container.Owner(root)
	if err != nil {
		t.Fatal(err)
	}
	workloadtest.Eventually(t, func() (bool, string) {
		var left []string
		for _, name := range append(w.containers(t), w.networks(t, owner)...) {
			if strings.Contains(name, owner[:8]) {
				left = append(left, name)
			}
		}
		return len(left) == 0, fmt.Sprintf("left of the installation over %s: %v", root, left)
	})
}
