package e2e

import (
	"syscall"
	"testing"
)

func TestDownEndsAlsoWhatHangs(t *testing.T) {
	t.Parallel()
	for name, hangs := range map[string]func(w *world) process{
		"an instance": func(w *world) process { app, _ := w.instance(w.site().Instances[0].ID); return app },
		"an instance's shim": func(w *world) process {
			_, shim := w.instance(w.site().Instances[0].ID)
			return shim
		},
		"the gateway":        func(w *world) process { gateway, _ := w.gateway(); return gateway },
		"the gateway's shim": func(w *world) process { _, shim := w.gateway(); return shim },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			w.deploy(0, behaviour{Version: "v1"}, appFile{})
			if err := syscall.Kill(hangs(w).pid, syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			w.must("down")
			w.plane.awaitEnd()
			w.nothingLeft()
		})
	}
}

func TestACommandDoesNotWaitForAServerThatHangs(t *testing.T) {
	t.Parallel()
	w := start(t)
	if err := w.plane.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	w.says(w.refused(6, "status"), "though one is there", "it hangs or is stopped")
	w.says(w.refused(1, "down"), "another process has it open")
	if err := w.plane.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	w.plane.awaitEnd() // it was told to end
}
