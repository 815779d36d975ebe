package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/fairlead/fairlead/gateway"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/shim"
)

// leaveWithin is how long a gateway that was replaced may take to end its requests
// before it is killed. It ends itself long before, by the drain times of the apps.
const leaveWithin = 8 * 24 * time.Hour

// upgrade replaces a gateway that runs from another build of this program: the new
// one takes over while the one before ends its requests. Instances and their shims
// run on as they are. When the new one does not come to serve, the one before goes
// on, which is logged and no error.
func (k *gatewayKeeper) upgrade(ctx context.Context) error {
	status, found, err := k.find(ctx)
	if err != nil || !found || status.State != workload.Ready || k.runsThis(status) {
		return err // one that does not serve is started again from its path in any case
	}
	if err := k.recordUpgrade(ctx, "server.gatewayReplaced", "the gateway runs from another build; this one's takes over", status.Pid); err != nil {
		return err
	}
	command := append(k.service.Command[:len(k.service.Command):len(k.service.Command)], "--"+gateway.TakeOverFlag)
	if err := k.runtime.ReplaceService(ctx, k.order(), gatewayService, command, nil, leaveWithin); err != nil {
		k.log.Error("the gateway of this build does not serve; the one before goes on", "error", err)
		return k.recordUpgrade(ctx, "server.gatewayKept", "the gateway of this build does not serve, so the one before goes on: "+err.Error(), status.Pid)
	}
	k.log.Info("the gateway was replaced by this build's")
	return nil
}

// runsThis reports whether the gateway's process runs from this build, and would when
// its shim starts it again.
func (k *gatewayKeeper) runsThis(status shim.ServiceStatus) bool {
	ours := k.service.Command[0]
	running, err := sameProgram(fmt.Sprintf("/proc/%d/exe", status.Pid), ours)
	if err != nil {
		return true // it ended meanwhile, so that its shim starts it again
	}
	next, err := sameProgram(status.Command[0], ours)
	return running && next && err == nil
}

func (k *gatewayKeeper) recordUpgrade(ctx context.Context, kind, text string, pid int) error {
	return record(ctx, k.store, k.now(), kind, self, map[string]any{"text": text, "pid": pid})
}

// sameProgram reports whether two files are one, or have the same content.
func sameProgram(a, b string) (bool, error) {
	one, err := os.Stat(a)
	if err != nil {
		return false, err
	}
	other, err := os.Stat(b)
	if err != nil {
		return false, err
	}
	if os.SameFile(one, other) || one.Size() != other.Size() {
		return os.SameFile(one, other), nil
	}
	first, err := digestOf(a)
	if err != nil {
		return false, err
	}
	second, err := digestOf(b)
	return bytes.Equal(first, second), err
}

func digestOf(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	h := sha256.New()
	_, err = io.Copy(h, file)
	return h.Sum(nil), err
}
