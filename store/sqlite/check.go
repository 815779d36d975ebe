package sqlite

import (
	"context"
	"database/sql"
	"strings"

	"github.com/fairlead/fairlead"
)

// quickCheck looks for structural damage in the tables whose size does not grow
// with the ledger, so that opening stays fast. Check looks at everything.
func quickCheck(ctx context.Context, db *sql.DB) error {
	for _, table := range []string{"meta", "rows", "streams", "checkpoints"} {
		if err := pragmaCheck(ctx, db, "PRAGMA quick_check("+table+")"); err != nil {
			return err
		}
	}
	return nil
}

// Check looks for structural damage of the whole database file with SQLite's own
// integrity_check, reading all of it. Damage is an error of code corrupt. It does
// not prove the ledger: ledger/verify does.
func (s *Store) Check(ctx context.Context) error {
	return failed("check fairlead.db", pragmaCheck(ctx, s.reads, "PRAGMA integrity_check(10)"))
}

func pragmaCheck(ctx context.Context, q querier, pragma string) error {
	lines, err := all(ctx, q, func(rows *sql.Rows) (line string, err error) {
		return line, rows.Scan(&line)
	}, pragma)
	if err != nil {
		return err
	}
	if len(lines) == 1 && lines[0] == "ok" {
		return nil
	}
	return fairlead.Errorf(fairlead.Corrupt, "", "the database is damaged: %s", strings.Join(lines, "; ")).
		WithHint("stop Fairlead, keep a copy of the state directory, and restore the newest backup")
}
