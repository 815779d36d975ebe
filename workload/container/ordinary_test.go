//go:build linux

package container_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/container/enginetest"
	"github.com/fairlead/fairlead/workload/workloadtest"
)

// imageEnv names the image that an ordinary user's tests run, as JSON.
const imageEnv = "FAIRLEAD_TEST_IMAGE"

// TestAnOrdinaryUserOfRootsDocker runs this test binary once more as a user who may use
// the engine's socket and nothing else, such as one of the group docker.
func TestAnOrdinaryUserOfRootsDocker(t *testing.T) {
	engine := enginetest.Start(t, "docker")
	dir := t.TempDir()
	for file, content := range map[string]string{"app": "", "Dockerfile": "FROM scratch\nCOPY app /app\nENV LISTEN=0.0.0.0\n"} {
		if file == "app" {
			data, err := os.ReadFile(filepath.Join(programs("image"), "app"))
			if err != nil {
				t.Fatal(err)
			}
			content = string(data)
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	image, err := json.Marshal(workload.Image{ID: fairlead.Digest(engine.Build(t, "open", dir)), Name: "open", Engine: engine.Host, WorkDir: "/"})
	if err != nil {
		t.Fatal(err)
	}
	asOrdinaryUser(t, engine, "^TestOrdinary", imageEnv+"="+string(image))
}

// asOrdinaryUser runs this binary's tests as a user without rights but that to use the
// engine.
func asOrdinaryUser(t *testing.T, engine *enginetest.Engine, pattern string, env ...string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "fairlead-ordinary-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	binary, temp := filepath.Join(dir, "tests"), filepath.Join(dir, "tmp")
	data, err := os.ReadFile("/proc/self/exe")
	if err := errors.Join(err, os.WriteFile(binary, data, 0o755), os.Mkdir(temp, 0o700), os.Chown(temp, 65534, 65534),
		os.Chmod(dir, 0o755), os.Chmod(engine.Dir(), 0o711), os.Chmod(engine.Socket(), 0o666)); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(binary, "-test.run", pattern, "-test.count", "1", "-test.timeout", "4m", "-test.v")
	command.Env = append(os.Environ(), append(env, "TMPDIR="+temp, "HOME="+temp)...)
	command.Dir = dir
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	t.Logf("%s", output)
}

func ordinaryImage(t *testing.T) *workload.Image {
	t.Helper()
	var image workload.Image
	if os.Getenv(imageEnv) == "" {
		t.Skip("it is run by TestAnOrdinaryUserOfRootsDocker")
	}
	if err := json.Unmarshal([]byte(os.Getenv(imageEnv)), &image); err != nil {
		t.Fatal(err)
	}
	return &image
}

func TestOrdinaryConformance(t *testing.T) {
	image := ordinaryImage(t)
	workloadtest.Run(t, func(t *testing.T) workloadtest.Harness {
		root := t.TempDir()
		return workloadtest.Harness{
			Open:           func(t *testing.T) workload.Runtime { return openRuntime(t, root) },
			Image:          image,
			Given:          []string{"HOSTNAME", "LISTEN"},
			KillSupervisor: func(t *testing.T, id string) { killShim(t, filepath.Join(root, "instances", id)) },
			Searched:       func(*testing.T) []string { return []string{filepath.Join(root, "instances", "one", "spec.json")} },
		}
	})
}

func TestOrdinaryReachIsRefusedWithItsReason(t *testing.T) {
	spec := workloadtest.Harness{Image: ordinaryImage(t)}.Spec("one", "serve")
	spec.Network.Reach = []string{"db.internal:5432"}
	i := workloadtest.Start(t, openRuntime(t, t.TempDir()), spec, nil)
	if status := i.AwaitState(workload.Refused); !strings.Contains(status.LastExit, "needs root") {
		t.Errorf("it is %+v", status)
	}
}

func TestOrdinarySecretsSayWhereTheyAre(t *testing.T) {
	i := workloadtest.Start(t, openRuntime(t, t.TempDir()), workloadtest.Harness{Image: ordinaryImage(t)}.Spec("one", "serve"), workload.Secrets{"key": []byte("v")})
	status := i.AwaitState(workload.Ready)
	if p := protection(t, status, workload.SecretsInMemory); !p.Enforced || !strings.Contains(p.Detail, "/dev/shm") {
		t.Errorf("%+v", p)
	}
	for _, p := range status.Protections {
		t.Logf("%v %s: %s", p.Enforced, p.Name, p.Detail)
	}
}
