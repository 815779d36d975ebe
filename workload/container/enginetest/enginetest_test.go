package enginetest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/fairlead/fairlead/workload/container/enginetest"
)

const program = `package main

import "os"

func main() { os.Exit(42) }
`

// What every test of containers needs of a machine.
func TestAnEngineRunsAContainerOfAnImageThatItBuilt(t *testing.T) {
	for _, name := range enginetest.Names {
		t.Run(name, func(t *testing.T) {
			e := enginetest.Start(t, name)
			e.Build(t, "localhost/answer:1", lay(t))
			var made struct{ ID string }
			few := []map[string]any{ // Podman raises them by itself, which may not be allowed here
				{"Name": "nofile", "Soft": 256, "Hard": 256}, {"Name": "nproc", "Soft": 1024, "Hard": 1024},
			}
			e.Ask(t, "POST", "/containers/create", map[string]any{"Image": "localhost/answer:1", "HostConfig": map[string]any{"Ulimits": few}}, &made)
			e.Ask(t, "POST", "/containers/"+made.ID+"/start", nil, nil)
			var ended struct{ StatusCode int }
			e.Ask(t, "POST", "/containers/"+made.ID+"/wait?condition=not-running", nil, &ended)
			if ended.StatusCode != 42 {
				t.Errorf("the container ended with %d, want 42", ended.StatusCode)
			}
		})
	}
}

// lay makes a directory that an image can be built from, without any base.
func lay(t *testing.T) string {
	dir, source := t.TempDir(), filepath.Join(t.TempDir(), "main.go")
	for file, text := range map[string]string{source: program, filepath.Join(dir, "Dockerfile"): "FROM scratch\nCOPY answer /\nENTRYPOINT [\"/answer\"]\n"} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "answer"), source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}
