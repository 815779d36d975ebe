package container_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fairlead/fairlead/workload/container"
)

func TestTheEngineIsKnownThatWasGoneToLast(t *testing.T) {
	root := t.TempDir()
	if last, err := container.LastEngine(root); last != "" || err != nil {
		t.Errorf("before any: %q, %v", last, err)
	}
	docker, podman := &container.Engine{Host: "unix:///docker"}, &container.Engine{Host: "unix:///podman"}
	for _, e := range []*container.Engine{docker, docker, podman, podman, docker} {
		if err := e.Remember(root); err != nil {
			t.Fatal(err)
		}
		if last, err := container.LastEngine(root); last != e.Host || err != nil {
			t.Errorf("after %s: %q, %v", e.Host, last, err)
		}
	}
	if data, err := os.ReadFile(filepath.Join(root, "engines")); string(data) != "unix:///docker\nunix:///podman\nunix:///docker\n" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
}
