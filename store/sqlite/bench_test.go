package sqlite_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger/verify"
	"github.com/fairlead/fairlead/store/sqlite"
)

// BenchmarkFsync is what one durable write costs on this disk, whoever asks.
func BenchmarkFsync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "file"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	page := make([]byte, 4096)
	for i := range b.N {
		if _, err := f.WriteAt(page, int64(i)*4096); err != nil {
			b.Fatal(err)
		}
		if err := unix.Fsync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCommit is 64 callers, each committing one entry with one row at a time.
func BenchmarkCommit(b *testing.B) {
	s, err := sqlite.Open(b.TempDir(), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	var next atomic.Int64
	var callers sync.WaitGroup
	b.ResetTimer()
	for range 64 {
		callers.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				e := entry("instance.ready", row("instance", fmt.Sprintf("triage-%d", n%1000), `{"state":"ready","release":7,"port":8080}`))
				if _, err := s.Commit(b.Context(), fairlead.Change{Entries: []fairlead.Entry{e}}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	callers.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}

// filled is a ledger of a million entries with ten thousand rows.
func filled(b *testing.B) string {
	dir := b.TempDir()
	s, err := sqlite.Open(dir, sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	for from := 0; from < 1_000_000; from += 2_000 {
		var c fairlead.Change
		for n := from; n < from+2_000; n++ {
			c.Entries = append(c.Entries, entry("instance.ready", row("instance", fmt.Sprintf("triage-%d", n%10_000), fmt.Sprintf(`{"state":"ready","release":7,"port":%d}`, n))))
		}
		if _, err := s.Commit(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	return dir
}

// BenchmarkMillion opens, reads and verifies a ledger of a million entries.
func BenchmarkMillion(b *testing.B) {
	dir := filled(b)
	b.Run("open and close", func(b *testing.B) {
		for range b.N {
			s, err := sqlite.Open(dir, sqlite.Options{})
			if err != nil {
				b.Fatal(err)
			}
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	s, err := sqlite.Open(dir, sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	b.Run("one row", func(b *testing.B) {
		for n := range b.N {
			if _, ok, err := s.Row(b.Context(), "instance", fmt.Sprintf("triage-%d", n%10_000)); err != nil || !ok {
				b.Fatal(ok, err)
			}
		}
	})
	b.Run("a proof", func(b *testing.B) {
		for n := range b.N {
			if _, err := s.Inclusion(b.Context(), uint64(n)%s.Size()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("verify", func(b *testing.B) {
		for range b.N {
			r, err := sqlite.OpenReadOnly(dir)
			if err != nil {
				b.Fatal(err)
			}
			result, err := verify.Check(b.Context(), r, verify.Options{VerifierKey: s.VerifierKey()})
			if err != nil || !result.OK() || result.Entries != 1_000_000 {
				b.Fatal(result, err)
			}
			if err := r.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
