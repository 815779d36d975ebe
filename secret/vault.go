package secret

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"filippo.io/age"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/atomicfile"
)

// Store keeps the ledger and its state rows.
type Store interface {
	Commit(ctx context.Context, c fairlead.Change) ([]fairlead.Entry, error)
	Rows(ctx context.Context, kind, prefix string) ([]fairlead.Row, error)
	Row(ctx context.Context, kind, key string) (fairlead.Row, bool, error)
}

// Vault keeps secrets. It is safe for concurrent use by one process, the one that
// has the store.
type Vault struct {
	dir      string
	identity *age.HybridIdentity
	store    Store
	mu       sync.Mutex // one writer: version numbers, and files not yet in a row
}

// Open opens the vault whose ciphertexts are in dir and whose key is in keyFile,
// and makes both where there is neither. A key that others may read is refused
// with code forbidden; ciphertexts without their key with code corrupt.
func Open(dir, keyFile string, store Store) (*Vault, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fairlead.Errorf(fairlead.Internal, "open the secret vault", "%w", err)
	}
	ciphers, _ := filepath.Glob(filepath.Join(dir, "*.age")) // the pattern is well formed
	identity, err := readKey(keyFile, len(ciphers) == 0)
	if err != nil {
		return nil, err
	}
	return &Vault{dir: dir, identity: identity, store: store}, nil
}

// Set stores a new version of a secret, the first or a further one, and returns
// its number. Only an administrator may. The value is not kept in memory.
func (v *Vault) Set(ctx context.Context, by fairlead.Principal, now time.Time, env, name string, value []byte) (int, error) {
	return v.add(ctx, by, now, env, name, value, false)
}

// Rotate stores a new version of a secret that exists. Only an administrator may.
// Releases keep the versions that they name; a new release takes the new one.
// [Random] makes a value for those who want no particular one.
func (v *Vault) Rotate(ctx context.Context, by fairlead.Principal, now time.Time, env, name string, value []byte) (int, error) {
	return v.add(ctx, by, now, env, name, value, true)
}

// Random returns a random value: 43 letters, digits, "-" and "_" of 256 bits.
func Random() []byte {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails (crypto/rand)
	return base64.RawURLEncoding.AppendEncode(nil, raw)
}

func (v *Vault) add(ctx context.Context, by fairlead.Principal, now time.Time, env, name string, value []byte, rotate bool) (int, error) {
	op := fmt.Sprintf("set secret %s of %s", name, env)
	if err := v.admit(by, op, env, name); err != nil {
		return 0, err
	}
	if len(value) == 0 || len(value) > MaxValue {
		return 0, fairlead.Errorf(fairlead.Invalid, op, "the value has %d bytes; want 1 to %d", len(value), MaxValue)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	all, err := v.versions(ctx, env, name)
	if err != nil {
		return 0, err
	}
	if rotate && newest(all) == 0 {
		return 0, fairlead.Errorf(fairlead.NotFound, op, "there is no such secret to rotate").WithHint("run `%s` to make it", command(env, name))
	}
	version := Version{Env: env, Name: name, Version: 1, Created: now.UTC()}
	if len(all) > 0 {
		version.Version = all[len(all)-1].Version + 1
	}
	cipher, err := seal(v.identity, version, value)
	if err != nil {
		return 0, fairlead.Errorf(fairlead.Internal, op, "encrypt: %w", err)
	}
	version.Cipher = fairlead.DigestOf(cipher)
	if err := v.write(version.Cipher, cipher); err != nil {
		return 0, fairlead.Errorf(fairlead.Internal, op, "%w", err)
	}
	// The file stays where the commit fails: the failure may have come after it.
	return version.Version, v.record(ctx, by, now, "secret.set", rotate, version)
}

func (v *Vault) admit(by fairlead.Principal, op, env, name string) error {
	if !by.May(fairlead.Admin) {
		return fairlead.Errorf(fairlead.Forbidden, op, "this needs the role %s", fairlead.Admin)
	}
	return checkNames(op, env, name)
}

// Remove destroys the ciphertexts of all versions of a secret. Only an
// administrator may. That the versions existed stays on record, and their numbers
// are not used again; a release that names one can no longer start.
func (v *Vault) Remove(ctx context.Context, by fairlead.Principal, now time.Time, env, name string) error {
	op := fmt.Sprintf("remove secret %s of %s", name, env)
	if err := v.admit(by, op, env, name); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	all, err := v.versions(ctx, env, name)
	if err != nil {
		return err
	}
	var removed []Version
	var files []string
	for _, version := range all {
		if version.Removed.IsZero() {
			files = append(files, v.path(version.Cipher))
			version.Removed, version.Cipher = now.UTC(), ""
			removed = append(removed, version)
		}
	}
	if len(removed) == 0 {
		return fairlead.Errorf(fairlead.NotFound, op, "there is no such secret")
	}
	if err := v.record(ctx, by, now, "secret.removed", false, removed...); err != nil {
		return err
	}
	for _, file := range files {
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fairlead.Errorf(fairlead.Internal, op, "its removal is recorded, but a ciphertext is left: %w", err)
		}
	}
	return atomicfile.SyncDir(v.dir)
}

// record commits one entry with the rows of versions.
func (v *Vault) record(ctx context.Context, by fairlead.Principal, now time.Time, kind string, rotate bool, versions ...Version) error {
	facts := struct {
		Env      string `json:"env"`
		Name     string `json:"name"`
		Versions []int  `json:"versions"`
		Rotate   bool   `json:"rotate,omitempty"`
	}{Env: versions[0].Env, Name: versions[0].Name, Rotate: rotate}
	entry := fairlead.Entry{Time: now.UTC(), Kind: kind, Site: fairlead.Site{Env: facts.Env}, Principal: by.ID}
	for _, version := range versions {
		value, err := json.Marshal(version)
		if err != nil {
			return fmt.Errorf("encode a secret's row: %w", err)
		}
		facts.Versions = append(facts.Versions, version.Version)
		entry.Rows = append(entry.Rows, fairlead.Row{Kind: Row, Key: version.Key(), Value: value})
	}
	data, err := json.Marshal(facts)
	if err != nil {
		return fmt.Errorf("encode %s: %w", kind, err)
	}
	entry.Data = data
	if _, err = v.store.Commit(ctx, fairlead.Change{Entries: []fairlead.Entry{entry}}); err != nil {
		return fmt.Errorf("record %s: %w", kind, err)
	}
	return nil
}

// versions returns every version of a secret, removed ones too, in order.
func (v *Vault) versions(ctx context.Context, env, name string) ([]Version, error) {
	prefix := env + "/"
	if name != "" {
		prefix += name + "/"
	}
	rows, err := v.store.Rows(ctx, Row, prefix)
	if err != nil {
		return nil, fmt.Errorf("read secrets: %w", err)
	}
	versions := make([]Version, len(rows))
	for i, row := range rows {
		if err := json.Unmarshal(row.Value, &versions[i]); err != nil {
			return nil, fairlead.Errorf(fairlead.Corrupt, "read secrets", "row %s: %w", row.Key, err)
		}
	}
	return versions, nil
}

// newest returns the newest version that was not removed, or 0.
func newest(versions []Version) int {
	number := 0
	for _, version := range versions {
		if version.Removed.IsZero() {
			number = max(number, version.Version)
		}
	}
	return number
}

func (v *Vault) path(cipher fairlead.Digest) string {
	return filepath.Join(v.dir, cipher.Hex()+".age")
}

func (v *Vault) write(cipher fairlead.Digest, data []byte) error {
	return atomicfile.Write(v.path(cipher), data, 0o600)
}

// Sweep removes ciphertexts that no version names: what crashes left, and what
// Remove could not delete. Call it when the process starts.
func (v *Vault) Sweep(ctx context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	rows, err := v.store.Rows(ctx, Row, "")
	if err != nil {
		return fmt.Errorf("sweep the secret vault: %w", err)
	}
	named := map[string]bool{}
	for _, row := range rows {
		var version Version
		if err := json.Unmarshal(row.Value, &version); err != nil {
			return fairlead.Errorf(fairlead.Corrupt, "sweep the secret vault", "row %s: %w", row.Key, err)
		}
		named[filepath.Base(v.path(version.Cipher))] = true
	}
	files, err := os.ReadDir(v.dir)
	if err != nil {
		return fairlead.Errorf(fairlead.Internal, "sweep the secret vault", "%w", err)
	}
	for _, file := range files {
		ours := strings.HasSuffix(file.Name(), ".age") || strings.HasPrefix(file.Name(), atomicfile.TempPrefix)
		if ours && !named[file.Name()] {
			if err := os.Remove(filepath.Join(v.dir, file.Name())); err != nil {
				return fairlead.Errorf(fairlead.Internal, "sweep the secret vault", "%w", err)
			}
		}
	}
	return atomicfile.SyncDir(v.dir)
}
