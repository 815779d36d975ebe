//go:build linux

package container_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fairlead/fairlead/workload/container"
	"github.com/fairlead/fairlead/workload/container/enginetest"
)

// TestWhatAKilledServerWasReadingAnImageByIsSwept makes what a server leaves in an
// engine that is killed while it takes files out of an image. The installation has run
// nothing in the engine yet.
func TestWhatAKilledServerWasReadingAnImageByIsSwept(t *testing.T) {
	withEngines(t, func(t *testing.T, e *container.Engine, real *enginetest.Engine) {
		id := buildFrom(t, real, map[string]string{"Dockerfile": "FROM scratch\nCOPY a.md /a.md\nCMD [\"/a.md\"]\n", "a.md": "a"})
		found, err := e.Image(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		root := t.TempDir()
		if err := e.Extract(t.Context(), found.ID, root, map[string]string{"/a.md": filepath.Join(t.TempDir(), "a.md")}); err != nil {
			t.Fatal(err)
		}
		owner, err := container.Owner(root)
		if err != nil {
			t.Fatal(err)
		}
		const foreign = "0123456789abcdef0123456789abcdef"
		for _, whose := range []string{owner, foreign} {
			real.Ask(t, "POST", "/containers/create", map[string]any{
				"Image": id, "Entrypoint": []string{"/"}, "Labels": map[string]string{container.LabelOwner: whose},
			}, nil)
		}
		outlet := filepath.Join(root, "outlets", "1")
		if err := os.MkdirAll(outlet, 0o700); err != nil {
			t.Fatal(err)
		}
		type made struct{ Labels map[string]string }
		var left []made
		for end := time.Now().Add(time.Minute); len(left) != 1; { // one of this very second may be in use
			if err := (container.Containers{}).Sweep(t.Context(), root); err != nil {
				t.Fatal(err)
			}
			if real.Ask(t, "GET", "/containers/json?all=1", nil, &left); time.Now().After(end) {
				t.Fatalf("%d containers are left: %+v", len(left), left)
			}
		}
		if _, err := os.Stat(outlet); !os.IsNotExist(err) {
			t.Errorf("the way of a build to the outside is left: %v", err)
		}
		if left[0].Labels[container.LabelOwner] != foreign {
			t.Errorf("left is %+v", left[0])
		}
	})
}
