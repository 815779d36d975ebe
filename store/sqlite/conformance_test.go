package sqlite_test

import (
	"testing"

	"github.com/fairlead/fairlead/ledger"
	"github.com/fairlead/fairlead/store/sqlite"
	"github.com/fairlead/fairlead/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(dir string) (storetest.Store, error) { return sqlite.Open(dir, sqlite.Options{}) })
}

func TestSealer(t *testing.T) {
	storetest.RunSealer(t, func(t *testing.T) ledger.Sealer { return open(t, t.TempDir()).Sealer() })
}
