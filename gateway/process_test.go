package gateway_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/fairlead/fairlead/gateway"
)

const processDir = "FAIRLEAD_TEST_GATEWAY_DIR"

// TestGatewayProcess is the gateway's process in the tests below.
func TestGatewayProcess(t *testing.T) {
	dir := os.Getenv(processDir)
	if dir == "" {
		t.Skip("runs as a process of another test")
	}
	if err := gateway.Main([]string{"--dir", dir}); err != nil {
		t.Fatal(err)
	}
}

// launch runs a gateway process that inherits listener.
func launch(t *testing.T, dir string, listener *os.File) (*rig, *exec.Cmd) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestGatewayProcess$")
	cmd.Env = append(os.Environ(), processDir+"="+dir, gateway.ListenersVariable+"=1")
	cmd.ExtraFiles = []*os.File{listener}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	g := &rig{t: t, dir: dir, client: gateway.NewClient(filepath.Join(dir, gateway.ControlSocket))}
	t.Cleanup(g.client.Close)
	eventually(t, "the process answers", func() bool {
		s, err := g.client.Status(context.Background())
		return err == nil && s.Pid == cmd.Process.Pid
	})
	return g, cmd
}

func TestAKilledGatewayComesBackOnTheSameListenerWithItsBlocks(t *testing.T) {
	held, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	file, err := held.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	dir := t.TempDir()
	g, cmd := launch(t, dir, file)
	g.address = held.Addr().String()
	g.apply(route(backend(1, app(t, "a", says("here")))))
	g.get("/")
	eventually(t, "the block is written", func() bool {
		blocks, err := g.client.Blocks(context.Background(), 0)
		return err == nil && len(blocks) > 0 && blocks[len(blocks)-1].Cells[0].Complete
	})
	cmd.Process.Signal(syscall.SIGKILL)
	cmd.Wait()

	again, cmd := launch(t, dir, file)
	again.address = g.address
	if a := again.get("/"); a.body != "here" {
		t.Errorf("got %+v", a)
	}
	y := newTally(t)
	y.until(again, "the blocks of both boots come", func() bool { return y.stable.ended == 2 && len(y.last) == 2 })
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("an orderly stop ended with %v", err)
	}
}
