package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAGatewayWhoseSnapshotIsUnreadableGetsAnotherFromTheControlPlane(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.deploy(0, behaviour{Version: "v1"}, appFile{})
	first, shim := w.gateway()
	file := filepath.Join(w.state, "gateway", "snapshot.json")
	if err := os.WriteFile(file, []byte(`{"format":1,"rou`), 0o600); err != nil {
		t.Fatal(err)
	}
	w.kill(first)
	eventually(t, 20*time.Second, "answers of the app", w.answers)
	if next, same := w.gateway(); next.is(first) || !same.is(shim) {
		t.Errorf("%s followed %s", next, first)
	}
	eventually(t, 20*time.Second, "the ledger's word", func() bool {
		return strings.Contains(w.must("events", "--tail", "50"), "gateway.stateLost")
	})
	if err := os.Remove(file + ".unreadable"); err != nil {
		t.Errorf("what could not be read is not kept: %v", err)
	}
	w.must("down")
}
