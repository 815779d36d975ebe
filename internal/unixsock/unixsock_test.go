package unixsock_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/unixsock"
)

func paths(t *testing.T) map[string]string {
	dir := t.TempDir()
	all := map[string]string{"short": filepath.Join(dir, "s")}
	if runtime.GOOS == "linux" {
		long := filepath.Join(dir, strings.Repeat("d", 120), strings.Repeat("e", 120))
		if err := os.MkdirAll(long, 0o700); err != nil {
			t.Fatal(err)
		}
		all["long"] = filepath.Join(long, "control.sock")
	}
	return all
}

func TestASocketIsReachedAtAPathOfAnyLength(t *testing.T) {
	for name, path := range paths(t) {
		t.Run(name, func(t *testing.T) {
			listener, err := unixsock.Listen(path)
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			info, err := os.Lstat(path)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Fatalf("mode %v, %v; want 0600", info, err)
			}
			go func() {
				conn, err := listener.Accept()
				if err == nil {
					io.WriteString(conn, "hello")
					conn.Close()
				}
			}()
			conn, err := unixsock.Dial(context.Background(), path)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if got, err := io.ReadAll(conn); string(got) != "hello" {
				t.Fatalf("read %q, %v", got, err)
			}
		})
	}
}

func TestAStaleSocketIsReplacedAndAUsedOneIsNot(t *testing.T) {
	for name, path := range paths(t) {
		t.Run(name, func(t *testing.T) {
			first, err := unixsock.Listen(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := unixsock.Listen(path); err == nil {
				t.Fatal("took a socket that is in use")
			}
			first.Close()
			second, err := unixsock.Listen(path)
			if err != nil {
				t.Fatalf("stale socket was not replaced: %v", err)
			}
			second.Close()
		})
	}
}

func TestAFileThatIsNoSocketIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(path, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := unixsock.Listen(path); err == nil {
		t.Fatal("listened over a file")
	}
	if data, err := os.ReadFile(path); string(data) != "data" {
		t.Fatalf("file is now %q, %v", data, err)
	}
}

func TestANameTooLongForAnySocketIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("n", 120))
	if _, err := unixsock.Listen(path); err == nil {
		t.Fatal("no error")
	}
}
