package secret_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/secret"
	"github.com/fairlead/fairlead/store/sqlite"
)

var (
	ctx   = context.Background()
	admin = fairlead.Principal{ID: "system:test", Role: fairlead.Admin}
	now   = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

type fixture struct {
	dir   string
	store *sqlite.Store
	vault *secret.Vault
}

func newVault(t *testing.T) fixture {
	t.Helper()
	dir := t.TempDir()
	store, err := sqlite.Open(filepath.Join(dir, "state"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	f := fixture{dir: dir, store: store}
	f.vault = f.open(t)
	return f
}

func (f fixture) open(t *testing.T) *secret.Vault {
	t.Helper()
	vault, err := secret.Open(filepath.Join(f.dir, "secrets"), f.key(), f.store)
	if err != nil {
		t.Fatal(err)
	}
	return vault
}

func (f fixture) key() string { return filepath.Join(f.dir, "keys", "secrets.key") }

func (f fixture) ciphers(t *testing.T) []string {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(f.dir, "secrets"))
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, file := range files {
		paths = append(paths, filepath.Join(f.dir, "secrets", file.Name()))
	}
	return paths
}

func set(t *testing.T, v *secret.Vault, env, name, value string) int {
	t.Helper()
	version, err := v.Set(ctx, admin, now, env, name, []byte(value))
	if err != nil {
		t.Fatal(err)
	}
	return version
}

func reveal(t *testing.T, v *secret.Vault, env, name string, version int) string {
	t.Helper()
	value, err := v.Reveal(ctx, env, name, version)
	if err != nil {
		t.Fatal(err)
	}
	return string(value)
}

func demand(t *testing.T, what string, err error, code fairlead.Code) {
	t.Helper()
	if err == nil || fairlead.CodeOf(err) != code {
		t.Errorf("%s: %v (%s), want %s", what, err, fairlead.CodeOf(err), code)
	}
}

func TestEveryVersionOfASecretIsKept(t *testing.T) {
	f := newVault(t)
	if n := set(t, f.vault, "production", "api-key", "one"); n != 1 {
		t.Errorf("the first version is %d", n)
	}
	if n, err := f.vault.Rotate(ctx, admin, now, "production", "api-key", []byte("two")); n != 2 || err != nil {
		t.Errorf("rotated to %d, %v", n, err)
	}
	set(t, f.vault, "dev", "api-key", "other")
	vault := f.open(t) // as after a restart
	for version, want := range map[int]string{1: "one", 2: "two"} {
		if got := reveal(t, vault, "production", "api-key", version); got != want {
			t.Errorf("version %d is %q", version, got)
		}
	}
	list, err := vault.List(ctx, "production")
	if err != nil || len(list) != 2 || list[0].Version != 1 || list[1].Version != 2 || !list[0].Created.Equal(now) {
		t.Errorf("listed %+v, %v", list, err)
	}
	delivered, err := vault.Deliver(ctx, "dev", map[string]int{"api-key": 1})
	if err != nil || string(delivered["api-key"]) != "other" {
		t.Errorf("delivered %q, %v", delivered, err)
	}
}

func TestNothingOnDiskHoldsTheValueOrItsHash(t *testing.T) {
	f := newVault(t)
	value := []byte("correct horse battery staple 0123456789")
	if _, err := f.vault.Set(ctx, admin, now, "production", "password", value); err != nil {
		t.Fatal(err)
	}
	digest := fairlead.DigestOf(value).Hex()
	raw, _ := hex.DecodeString(digest)
	needles := [][]byte{value, value[:12], []byte(digest), raw, []byte(base64.StdEncoding.EncodeToString(value)), []byte(base64.RawURLEncoding.EncodeToString(value)[:40])}
	read := 0
	err := filepath.WalkDir(f.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		read += len(data)
		for i, needle := range needles {
			if bytes.Contains(data, needle) {
				t.Errorf("%s holds the value in form %d", path, i)
			}
		}
		return err
	})
	if err != nil || read < 1000 {
		t.Fatalf("read %d bytes, %v", read, err)
	}
	entries, err := f.store.Entries(ctx, 0, 10)
	if err != nil || len(entries) != 1 || entries[0].Kind != "secret.set" || entries[0].Site.Env != "production" || entries[0].Principal != admin.ID {
		t.Errorf("entries %+v, %v", entries, err)
	}
	for _, path := range append(f.ciphers(t), f.key()) {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

func TestRemoveDestroysEveryVersionAndKeepsTheRecord(t *testing.T) {
	f := newVault(t)
	set(t, f.vault, "production", "api-key", "one")
	set(t, f.vault, "production", "api-key", "two")
	set(t, f.vault, "production", "api-key-2", "stays")
	if err := f.vault.Remove(ctx, admin, now, "production", "api-key"); err != nil {
		t.Fatal(err)
	}
	if left := f.ciphers(t); len(left) != 1 {
		t.Errorf("ciphertexts left: %v", left)
	}
	_, err := f.vault.Reveal(ctx, "production", "api-key", 2)
	demand(t, "a removed version", err, fairlead.NotFound)
	if rows, err := f.store.Rows(ctx, secret.Row, "production/api-key/"); err != nil || len(rows) != 2 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	if list, err := f.vault.List(ctx, "production"); err != nil || len(list) != 1 || list[0].Name != "api-key-2" {
		t.Errorf("listed %+v, %v", list, err)
	}
	demand(t, "removing it twice", f.vault.Remove(ctx, admin, now, "production", "api-key"), fairlead.NotFound)
	_, err = f.vault.Rotate(ctx, admin, now, "production", "api-key", []byte("x"))
	demand(t, "rotating a removed one", err, fairlead.NotFound)
	if n := set(t, f.vault, "production", "api-key", "again"); n != 3 {
		t.Errorf("a number is used again: %d", n)
	}
}

func TestVersionsResolvesOrSaysWhatToRun(t *testing.T) {
	f := newVault(t)
	for _, value := range []string{"1", "2", "3"} {
		set(t, f.vault, "qa", "a", value)
	}
	set(t, f.vault, "qa", "b", "1")
	got, err := f.vault.Versions(ctx, "qa", []fairlead.SecretRef{{Name: "a"}, {Name: "b", Version: 1}})
	if err != nil || fmt.Sprint(got) != "map[a:3 b:1]" {
		t.Errorf("%v, %v", got, err)
	}
	got, err = f.vault.Versions(ctx, "qa", []fairlead.SecretRef{{Name: "a", Version: 9}, {Name: "b"}, {Name: "c"}})
	demand(t, "missing ones", err, fairlead.NotFound)
	if fmt.Sprint(got) != "map[b:1]" || err == nil || !strings.Contains(err.Error(), "version 9 of a, c") ||
		!strings.Contains(fairlead.HintOf(err), "fairlead secret set c --env qa") {
		t.Errorf("%v, %v, hint %q", got, err, fairlead.HintOf(err))
	}
	_, err = f.vault.Versions(ctx, "qa", []fairlead.SecretRef{{Name: "../a"}})
	demand(t, "a path", err, fairlead.Invalid)
}

func TestOnlyAdministratorsChangeSecrets(t *testing.T) {
	f := newVault(t)
	set(t, f.vault, "qa", "a", "1")
	for _, role := range []fairlead.Role{fairlead.Viewer, fairlead.Operator, ""} {
		by := fairlead.Principal{ID: "system:x", Role: role}
		_, err := f.vault.Set(ctx, by, now, "qa", "a", []byte("x"))
		demand(t, "set", err, fairlead.Forbidden)
		_, err = f.vault.Rotate(ctx, by, now, "qa", "a", []byte("x"))
		demand(t, "rotate", err, fairlead.Forbidden)
		demand(t, "remove", f.vault.Remove(ctx, by, now, "qa", "a"), fairlead.Forbidden)
	}
	if f.store.Size() != 1 || len(f.ciphers(t)) != 1 {
		t.Error("something was changed")
	}
}

func TestNamesAndValuesHaveLimits(t *testing.T) {
	f := newVault(t)
	for _, name := range []string{"", ".hidden", "a/b", "..", "a b", strings.Repeat("a", 65), "é", "a\n"} {
		_, err := f.vault.Set(ctx, admin, now, "qa", name, []byte("x"))
		demand(t, fmt.Sprintf("name %q", name), err, fairlead.Invalid)
	}
	for _, env := range []string{"", "QA", "a/b", ".."} {
		_, err := f.vault.Set(ctx, admin, now, env, "a", []byte("x"))
		demand(t, fmt.Sprintf("environment %q", env), err, fairlead.Invalid)
	}
	for _, size := range []int{0, secret.MaxValue + 1} {
		_, err := f.vault.Set(ctx, admin, now, "qa", "a", make([]byte, size))
		demand(t, fmt.Sprint(size, " bytes"), err, fairlead.Invalid)
	}
	large := strings.Repeat("\x00\xff", secret.MaxValue/2)
	if n := set(t, f.vault, "qa", "a", large); reveal(t, f.vault, "qa", "a", n) != large {
		t.Error("the largest value is not what it was")
	}
}

func TestChangedOrExchangedCiphertextsAreNotRevealed(t *testing.T) {
	f := newVault(t)
	set(t, f.vault, "qa", "a", "one")
	first := f.ciphers(t)[0]
	set(t, f.vault, "production", "a", "two")
	data, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	// A row of production that names qa's ciphertext, as somebody who can write the
	// database but has no key could make it.
	value := fmt.Sprintf(`{"env":"production","name":"a","version":1,"created":"2026-01-02T03:04:05Z","cipher":"%s"}`, fairlead.DigestOf(data))
	_, err = f.store.Commit(ctx, fairlead.Change{Entries: []fairlead.Entry{{Time: now, Kind: "forged", Principal: "system:test",
		Rows: []fairlead.Row{{Kind: secret.Row, Key: "production/a/000001", Value: []byte(value)}}}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.vault.Reveal(ctx, "production", "a", 1)
	demand(t, "another's ciphertext", err, fairlead.Corrupt)

	data[len(data)-1] ^= 1
	if err := os.WriteFile(first, data, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = f.vault.Reveal(ctx, "qa", "a", 1)
	demand(t, "a changed ciphertext", err, fairlead.Corrupt)
	if err := os.Remove(first); err != nil {
		t.Fatal(err)
	}
	_, err = f.vault.Reveal(ctx, "qa", "a", 1)
	demand(t, "a lost ciphertext", err, fairlead.Corrupt)
	_, err = f.vault.Reveal(ctx, "qa", "a", 2)
	demand(t, "no such version", err, fairlead.NotFound)
}

// failing is a store whose commits fail after they happened.
type failing struct{ *sqlite.Store }

func (f failing) Commit(ctx context.Context, c fairlead.Change) ([]fairlead.Entry, error) {
	if _, err := f.Store.Commit(ctx, c); err != nil {
		return nil, err
	}
	return nil, errors.New("the answer was lost")
}

// refusing is a store whose commits fail and do not happen.
type refusing struct{ *sqlite.Store }

func (refusing) Commit(context.Context, fairlead.Change) ([]fairlead.Entry, error) {
	return nil, errors.New("the disk is full")
}

func TestASetWhoseAnswerIsLostLosesNoValue(t *testing.T) {
	f := newVault(t)
	vault, err := secret.Open(filepath.Join(f.dir, "secrets"), f.key(), failing{f.store})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := vault.Set(ctx, admin, now, "qa", "a", []byte("kept")); err == nil {
		t.Fatal("the failure is hidden")
	}
	if err := f.vault.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	if got := reveal(t, f.vault, "qa", "a", 1); got != "kept" {
		t.Errorf("%q", got)
	}
}

func TestSweepRemovesWhatNoVersionNames(t *testing.T) {
	f := newVault(t)
	set(t, f.vault, "qa", "a", "kept")
	vault, err := secret.Open(filepath.Join(f.dir, "secrets"), f.key(), refusing{f.store})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := vault.Set(ctx, admin, now, "qa", "b", []byte("lost")); err == nil {
		t.Fatal("the failure is hidden")
	}
	if len(f.ciphers(t)) != 2 {
		t.Fatal("the test needs a ciphertext that nobody names")
	}
	if err := f.vault.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	if len(f.ciphers(t)) != 1 || reveal(t, f.vault, "qa", "a", 1) != "kept" {
		t.Errorf("left: %v", f.ciphers(t))
	}
}

func TestTheKeyIsGuarded(t *testing.T) {
	f := newVault(t)
	set(t, f.vault, "qa", "a", "x")
	dir := filepath.Join(f.dir, "secrets")
	key, err := os.ReadFile(f.key())
	if err != nil || !bytes.HasPrefix(key, []byte("AGE-SECRET-KEY-PQ-1")) {
		t.Fatalf("the key file: %v", err)
	}
	if err := os.Chmod(f.key(), 0o640); err != nil {
		t.Fatal(err)
	}
	_, err = secret.Open(dir, f.key(), f.store)
	demand(t, "a key that others may read", err, fairlead.Forbidden)
	if err := os.WriteFile(f.key(), []byte("AGE-SECRET-KEY-PQ-1XXXX"), 0o600); err != nil {
		t.Fatal(err)
	}
	_ = os.Chmod(f.key(), 0o600)
	_, err = secret.Open(dir, f.key(), f.store)
	demand(t, "a damaged key", err, fairlead.Corrupt)
	if err != nil && strings.Contains(err.Error(), "XXXX") {
		t.Error("the error quotes the key")
	}
	if err := os.Remove(f.key()); err != nil {
		t.Fatal(err)
	}
	_, err = secret.Open(dir, f.key(), f.store)
	demand(t, "a lost key", err, fairlead.Corrupt)
	if _, err := os.Stat(f.key()); err == nil {
		t.Error("a new key was made beside secrets of the old one")
	}
	other := filepath.Join(t.TempDir(), "key")
	if _, err := secret.Open(t.TempDir(), other, f.store); err != nil {
		t.Fatal(err)
	}
	vault, err := secret.Open(dir, other, f.store)
	if err != nil {
		t.Fatal(err)
	}
	_, err = vault.Reveal(ctx, "qa", "a", 1)
	demand(t, "another key", err, fairlead.Corrupt)
}

func TestManySetAtOnceAndEachGetsItsNumber(t *testing.T) {
	f := newVault(t)
	numbers := make([]int, 12)
	var wg sync.WaitGroup
	for i := range numbers {
		wg.Go(func() {
			n, err := f.vault.Set(ctx, admin, now, "qa", "a", fmt.Append(nil, i))
			if err != nil {
				t.Error(err)
			}
			numbers[i] = n
		})
	}
	wg.Wait()
	seen := map[int]bool{}
	for i, n := range numbers {
		if seen[n] || n < 1 || n > 12 || reveal(t, f.vault, "qa", "a", n) != fmt.Sprint(i) {
			t.Errorf("value %d is version %d", i, n)
		}
		seen[n] = true
	}
	if a, b := secret.Random(), secret.Random(); bytes.Equal(a, b) || len(a) != 43 {
		t.Errorf("random values %s and %s", a, b)
	}
}
