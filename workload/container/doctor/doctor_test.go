//go:build linux

package doctor_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/container/doctor"
	"github.com/fairlead/fairlead/workload/container/enginetest"
	"github.com/fairlead/fairlead/workload/workloadtest"
)

func TestTheEngineIsNamedAndWhatHoldsAContainerIsReadBack(t *testing.T) {
	for _, name := range enginetest.Names {
		t.Run(name, func(t *testing.T) {
			engine := enginetest.Start(t, name)
			dir := t.TempDir()
			program := filepath.Join(dir, "shim")
			if err := workloadtest.Compile("github.com/fairlead/fairlead/workload/container/testshim", program); err != nil {
				t.Fatal(err)
			}
			for dir := dir; len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
				if err := os.Chmod(dir, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			d, err := doctor.Run(t.Context(), program, engine.Host)
			if err != nil {
				t.Fatal(err)
			}
			if !d.Found || !strings.HasPrefix(strings.ToLower(d.Name), name) || d.Storage == "" || d.Seccomp == "" || d.API == "" {
				t.Errorf("the engine is %+v", d)
			}
			enforced := map[string]bool{}
			for _, c := range d.Checks {
				enforced[c.Name] = c.Enforced
			}
			for _, want := range []string{workload.NonRoot, workload.NoCapabilities, workload.Seccomp, workload.NoNewPrivileges, workload.ReadOnlyRoot, workload.NoCoreDumps, workload.MemoryLimit, workload.ProcessLimit, workload.OwnNetwork, workload.SecretsInMemory} {
				if !enforced[want] {
					t.Errorf("%s is not enforced: %+v", want, d)
				}
			}
			if !d.Holds {
				t.Errorf("it does not hold: %+v", d)
			}
			nothingIsLeft(t, engine)
		})
	}
}

// nothingIsLeft demands that the engine has no container, image or network of a doctor.
func nothingIsLeft(t *testing.T, e *enginetest.Engine) {
	t.Helper()
	for path, mark := range map[string]string{
		"/containers/json?all=1": "dev.fairlead", "/images/json?all=1": "dev.fairlead",
		"/networks": `"dev.fairlead.app":"doctor"`, // Podman's are those of the whole machine
	} {
		var answer json.RawMessage
		e.Ask(t, "GET", path, nil, &answer)
		if strings.Contains(string(answer), mark) {
			t.Errorf("%s: something is left: %s", path, answer)
		}
	}
}

func TestNoEngineAndOneThatMayNotBeUsedAreToldAndAreNoError(t *testing.T) {
	d, err := doctor.Run(t.Context(), "/none", "")
	if err != nil || d.Found || !d.Holds || d.Why == "" || !strings.Contains(d.Hint, "apt-get install") {
		t.Errorf("without an engine: %+v, %v", d, err)
	}
	d, err = doctor.Run(t.Context(), "/none", "unix://"+filepath.Join(t.TempDir(), "none.sock"))
	if err != nil || d.Found || !d.Holds || !strings.Contains(d.Why, "nothing listens") {
		t.Errorf("with a socket that is not there: %+v, %v", d, err)
	}
}
