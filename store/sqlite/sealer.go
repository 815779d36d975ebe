package sqlite

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger"
)

// Sealer keeps the subjects' keys in keys.db; it implements ledger.Sealer. The
// file names no subject: it is found by an HMAC under a key of the same file.
// Erase overwrites the key in the file (secure_delete) and leaves no journal; a
// copy of the file, a snapshot of the file system or a worn-out flash block may
// still hold it, so keys.db belongs on an encrypted disk and in no backup that
// outlives the right to erasure.
type Sealer struct {
	db     *sql.DB // one connection
	lookup [sha256.Size]byte
}

func openSealer(ctx context.Context, dir string, entries uint64, log *slog.Logger) (*Sealer, error) {
	path := filepath.Join(dir, "keys.db")
	if info, err := os.Stat(path); entries > 0 && (errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0) {
		log.Warn("keys.db is missing or empty: every sealed text of this ledger now reads as erased", "dir", dir)
	}
	db, err := openFile(ctx, path, keysPragmas)
	if err != nil {
		return nil, err
	}
	s := &Sealer{db: db}
	if err := s.load(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

func (s *Sealer) load(ctx context.Context) error {
	if err := migrate(ctx, s.db, keysSchema); err != nil {
		return err
	}
	if err := pragmaCheck(ctx, s.db, "PRAGMA quick_check(1)"); err != nil {
		return err
	}
	fresh := make([]byte, sha256.Size)
	_, _ = rand.Read(fresh) // never fails (crypto/rand)
	if _, err := s.db.ExecContext(ctx, `INSERT INTO lookup (id, key) VALUES (1, ?) ON CONFLICT DO NOTHING`, fresh); err != nil {
		return err
	}
	var key []byte
	if err := s.db.QueryRowContext(ctx, `SELECT key FROM lookup`).Scan(&key); err != nil {
		return err
	}
	if len(key) != len(s.lookup) {
		return fairlead.Errorf(fairlead.Corrupt, "", "keys.db has a malformed lookup key").WithHint("restore keys.db")
	}
	s.lookup = [sha256.Size]byte(key)
	return nil
}

// Seal implements ledger.Sealer. A text sealed while its subject is being erased
// is erased too.
func (s *Sealer) Seal(ctx context.Context, subject, text string) (fairlead.Sealed, error) {
	const op = "seal a text"
	if err := ledger.CheckName("the subject", subject); err != nil {
		return "", fairlead.Errorf(fairlead.Invalid, op, "%w", err)
	}
	id, key, err := s.find(ctx, subject)
	if errors.Is(err, sql.ErrNoRows) {
		fresh := ledger.NewSealingKey()
		_, err = s.db.ExecContext(ctx, `INSERT INTO subjects (id, lookup, key) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
			string(ledger.NewSubjectID()), s.hash(subject), fresh[:])
		if err == nil {
			id, key, err = s.find(ctx, subject)
		}
	}
	if err != nil {
		return "", failed(op, err)
	}
	return key.Seal(id, text)
}

func (s *Sealer) find(ctx context.Context, subject string) (id ledger.SubjectID, key ledger.SealingKey, err error) {
	var raw []byte
	if err = s.db.QueryRowContext(ctx, `SELECT id, key FROM subjects WHERE lookup = ?`, s.hash(subject)).Scan(&id, &raw); err != nil {
		return id, key, err
	}
	return id, key, setKey(&key, raw)
}

func setKey(key *ledger.SealingKey, raw []byte) error {
	if len(raw) != len(key) {
		return fairlead.Errorf(fairlead.Corrupt, "", "keys.db has a malformed key").WithHint("restore keys.db")
	}
	copy(key[:], raw)
	return nil
}

func (s *Sealer) hash(subject string) []byte {
	h := hmac.New(sha256.New, s.lookup[:])
	h.Write([]byte(subject))
	return h.Sum(nil)
}

// Open implements ledger.Sealer.
func (s *Sealer) Open(ctx context.Context, sealed fairlead.Sealed) (string, error) {
	const op = "open a sealed text"
	if ledger.IsSystem(sealed) {
		return string(sealed), nil
	}
	parts, err := ledger.ParseSealed(sealed)
	if err != nil {
		return "", err
	}
	var raw []byte
	err = s.db.QueryRowContext(ctx, `SELECT key FROM subjects WHERE id = ?`, string(parts.ID)).Scan(&raw)
	if errors.Is(err, sql.ErrNoRows) {
		return ledger.Erased, nil
	}
	var key ledger.SealingKey
	if err == nil {
		err = setKey(&key, raw)
	}
	if err != nil {
		return "", failed(op, err)
	}
	return key.Open(sealed)
}

// Erased implements ledger.Sealer.
func (s *Sealer) Erased(ctx context.Context, sealed fairlead.Sealed) (bool, error) {
	if ledger.IsSystem(sealed) {
		return false, nil
	}
	parts, err := ledger.ParseSealed(sealed)
	if err != nil {
		return false, err
	}
	var kept int
	err = s.db.QueryRowContext(ctx, `SELECT count(*) FROM subjects WHERE id = ?`, string(parts.ID)).Scan(&kept)
	return kept == 0 && err == nil, failed("look for a subject's key", err)
}

// Erase implements ledger.Sealer.
func (s *Sealer) Erase(ctx context.Context, subject string) error {
	_, err := s.db.ExecContext(ctx, `DELETE FROM subjects WHERE lookup = ?`, s.hash(subject))
	return failed("erase a subject", err)
}
