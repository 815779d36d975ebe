package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead/api/client"
)

// layGPUs makes a directory in which a machine has so many AMD GPUs, whose device files
// do what /dev/null does.
func layGPUs(t *testing.T, count int) string {
	t.Helper()
	root := t.TempDir()
	for i := range count {
		at := filepath.Join(root, fmt.Sprintf("sys/bus/pci/devices/0000:c%d:00.0", i))
		render := fmt.Sprintf("renderD%d", 128+i)
		err := errors.Join(os.MkdirAll(filepath.Join(at, "drm", render), 0o755), os.MkdirAll(filepath.Join(root, "dev/dri"), 0o755),
			os.Symlink("../../../../bus/pci/drivers/amdgpu", filepath.Join(at, "driver")))
		for name, text := range map[string]string{"vendor": "0x1002", "device": "0x740f", "class": "0x038000", "mem_info_vram_total": "68719476736"} {
			err = errors.Join(err, os.WriteFile(filepath.Join(at, name), []byte(text+"\n"), 0o644))
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, node := range []string{"dri/" + render, "kfd"} {
			path := filepath.Join(root, "dev", node)
			if err := unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil && !errors.Is(err, unix.EEXIST) {
				t.Skipf("no device file can be made here: %v", err)
			}
		}
	}
	return root
}

// asking is an app whose instances ask for GPUs.
func asking(gpu, strategy string) appFile {
	return appFile{
		lines:        "  resources: {gpu: " + gpu + "}\n",
		environments: "    - {name: production, strategy: {" + strategy + "rollbackWindow: 1s}}\n",
	}
}

// holders says which devices instances have, "0000:c0:00.0=1" for release 1.
func (w *world) holders() (all []string) {
	w.Helper()
	for _, d := range see[client.Devices](w, "devices").Devices {
		for _, h := range d.Holders {
			all = append(all, fmt.Sprintf("%s=%d", d.ID, h.Release))
		}
	}
	return all
}

func TestGPUsAreGivenRefusedKeptAndReplaced(t *testing.T) {
	t.Parallel()
	root := layGPUs(t, 2)
	w := newWorld(t)
	w.up("--device-root", root)
	w.deploy(0, behaviour{Version: "v1"}, asking("{count: 1}", ""))
	if held := w.holders(); !slices.Equal(held, []string{"0000:c0:00.0=1"}) {
		t.Errorf("after a deploy %v are held", held)
	}
	sees := func(when, want string) {
		t.Helper()
		if a := w.try(w.host(), "list", "/dev/dri"); !a.OK || !slices.Equal(a.Names, []string{want}) {
			t.Errorf("%s the app sees %v %s, want %s", when, a.Names, a.Error, want)
		}
	}
	sees("after a deploy", "renderD128")
	w.says(w.refused(1, "deploy", "-f", w.lay(behaviour{Version: "v2"}, asking("{count: 2}", "")), "--wait"),
		"1 instance asks for 2 whole GPUs", "taken: 0000:c0:00.0 by", "it fits with strategy: {type: replace}")
	w.plane.kill()
	w.up("--device-root", root)
	if held := w.holders(); !slices.Equal(held, []string{"0000:c0:00.0=1"}) {
		t.Errorf("after a kill of the control plane %v are held", held)
	}
	if err := os.Remove(filepath.Join(root, "dev/dri/renderD128")); err != nil {
		t.Fatal(err)
	}
	eventually(w, 60*time.Second, "an instance on the other GPU alone", func() bool {
		return slices.Equal(w.holders(), []string{"0000:c1:00.0=1"})
	})
	eventually(w, 30*time.Second, "an answer from the other GPU", func() bool {
		status, _, _ := w.get(w.host(), "/hello")
		return status == 200
	})
	sees("after its GPU failed", "renderD129")
	w.proven()
}
