package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/atomicfile"
	"github.com/fairlead/fairlead/internal/disk"
	"github.com/fairlead/fairlead/internal/keyfile"
	"github.com/fairlead/fairlead/ledger"
)

// signingKey returns the signer of the ledger in dir and its verifier key. A new
// ledger gets a new key; one that has entries must find the key it began with.
func signingKey(ctx context.Context, dir string, db *sql.DB) (*ledger.Signer, string, error) {
	path := filepath.Join(dir, "ledger.key")
	known, err := storedVerifier(ctx, db)
	if err != nil {
		return nil, "", err
	}
	key, err := keyfile.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		if known != "" {
			return nil, "", fairlead.Errorf(fairlead.Corrupt, "", "ledger.key is missing, but the ledger was signed with it").
				WithHint("restore ledger.key from a backup")
		}
		key, err = keyfile.ReadOrMake(path, newLedgerKey)
	}
	if errors.Is(err, keyfile.ErrExposed) {
		return nil, "", fairlead.Errorf(fairlead.Forbidden, "", "%w", err).
			WithHint("chmod 600 %s; whoever could read it can sign a forged ledger", path)
	}
	if err != nil {
		return nil, "", err
	}
	signer, err := ledger.NewSigner(string(key))
	if err != nil {
		return nil, "", err
	}
	verifier, err := ledger.VerifierOf(string(key))
	if err != nil {
		return nil, "", err
	}
	if known != "" && known != verifier {
		return nil, "", fairlead.Errorf(fairlead.Corrupt, "", "ledger.key is of %s, but the ledger is another", signer.Origin()).
			WithHint("restore the ledger.key that belongs to this fairlead.db")
	}
	return signer, verifier, keepVerifier(ctx, dir, db, verifier)
}

func newLedgerKey() ([]byte, error) {
	text, _, err := ledger.NewKey()
	return []byte(text + "\n"), err
}

// storedVerifier returns the verifier key that the database was begun with, or "".
func storedVerifier(ctx context.Context, q querier) (string, error) {
	var key string
	err := q.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = 'verifier'`).Scan(&key)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return key, err
}

func keepVerifier(ctx context.Context, dir string, db *sql.DB, verifier string) error {
	if _, err := db.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ('verifier', ?) ON CONFLICT DO NOTHING`, verifier); err != nil {
		return err
	}
	path := filepath.Join(dir, "ledger.vkey")
	if old, err := disk.ReadFile(disk.OS{}, path); err == nil && strings.TrimSpace(string(old)) == verifier {
		return nil
	}
	return atomicfile.Write(path, []byte(verifier+"\n"), 0o644)
}
