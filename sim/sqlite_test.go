package sim_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/fairlead/fairlead/sim"
	"github.com/fairlead/fairlead/store/sqlite"
)

// disks gives each control plane the real database as it was on the disk when the
// one before was killed.
type disks struct {
	t    *testing.T
	root string
	n    int
	last *sqlite.Store
}

func (d *disks) dir(n int) string { return filepath.Join(d.root, fmt.Sprint(n)) }

func (d *disks) open() (sim.Database, error) {
	d.n++
	if d.last != nil {
		if err := copyDir(d.dir(d.n-1), d.dir(d.n)); err != nil { // with the log of writes, which a close would fold in
			return nil, err
		}
		d.close()
	}
	var err error
	d.last, err = sqlite.Open(d.dir(d.n), sqlite.Options{})
	return d.last, err
}

// copyDir copies the files of a directory for their owner alone.
func copyDir(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, e.Name()), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (d *disks) close() {
	if d.last == nil {
		return
	}
	if err := d.last.Close(); err != nil {
		d.t.Error(err)
	}
	if err := os.RemoveAll(d.dir(d.n - 1)); err != nil {
		d.t.Error(err)
	}
}

// TestTheSimulatedStoreIsLikeTheRealOne runs worlds whose store is held against
// SQLite at every read and write, through every death of a control plane.
func TestTheSimulatedStoreIsLikeTheRealOne(t *testing.T) {
	if testing.Short() {
		t.Skip("real writes take long")
	}
	for n := range uint64(3) {
		d := &disks{t: t, root: t.TempDir()}
		report, err := sim.RunOn(*first+n+2, nil, d.open)
		d.close()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("seed %d: %d entries, %d control planes", *first+n+2, report.Entries, d.n)
	}
}
