package e2e

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWhatRunsEndsAlsoWhereItsLedgerIsLost(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(w *world, database string) error{
		"gone": func(*world, string) error { return nil },
		"a link to nowhere": func(w *world, database string) error {
			return os.Symlink(filepath.Join(w.dir, "nowhere"), database)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			w.deploy(0, behaviour{Version: "v1"}, appFile{})
			w.plane.kill()
			database := filepath.Join(w.state, "fairlead.db")
			for _, suffix := range []string{"", "-wal", "-shm"} {
				remove(t, database+suffix)
			}
			if err := lose(w, database); err != nil {
				t.Fatal(err)
			}
			w.says(w.refused(1, "down"), "fairlead.db: it is missing, but ledger.key says that there was a ledger", "fairlead down --force")
			if !w.answers() {
				t.Error("the instances do not go on")
			}
			w.must("down", "--force")
			w.nothingLeft()
		})
	}
}
