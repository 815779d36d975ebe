//go:build linux

package container_test

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead/workload/container"
)

func TestAnEngineSaysWhichItIs(t *testing.T) {
	eachEngine(t, func(t *testing.T, w world) {
		engine, err := container.Open(t.Context(), w.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer engine.Close()
		want := map[string]string{"docker": "Docker 2", "podman": "Podman "}[w.Name]
		if !strings.HasPrefix(engine.Name, want) || engine.Version < container.Oldest {
			t.Errorf("it is %q and speaks %q, want %s...", engine.Name, engine.Version, want)
		}
	})
}
