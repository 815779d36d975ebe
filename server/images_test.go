package server

import (
	"os"
	"testing"

	"github.com/fairlead/fairlead/workload/container"
)

func TestTheEngineIsAskedThatWasUsedLastElseTheOneThatIsNamed(t *testing.T) {
	s := &control{Config: Config{Engine: "/run/named.sock"}, paths: paths{t.TempDir()}}
	if err := os.MkdirAll(s.run(), 0o700); err != nil {
		t.Fatal(err)
	}
	if host := s.lastEngineHost(); host != "unix:///run/named.sock" {
		t.Errorf("before any was used: %q", host)
	}
	if err := (&container.Engine{Host: "unix:///run/other.sock"}).Remember(s.run()); err != nil {
		t.Fatal(err)
	}
	if host := s.lastEngineHost(); host != "unix:///run/other.sock" {
		t.Errorf("after another one was: %q", host)
	}
}
