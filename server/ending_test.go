package server

import (
	"net"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/store/sqlite"
)

func TestAStartWaitsForAControlPlaneThatIsAboutToEnd(t *testing.T) {
	s := control{Config: Config{State: t.TempDir()}}
	s.paths = paths{s.State}
	lock, err := sqlite.Lock(s.State)
	if err != nil {
		t.Fatal(err)
	}
	free := time.AfterFunc(200*time.Millisecond, func() { _ = lock.Close() })
	defer free.Stop()
	store, err := s.openStore(t.Context())
	if err != nil {
		t.Fatalf("the start did not wait: %v", err)
	}
	again := time.AfterFunc(200*time.Millisecond, func() { _ = store.Close() })
	defer again.Stop()
	if err := AwaitEnd(t.Context(), s.State); err != nil {
		t.Errorf("the end was not awaited: %v", err)
	}
	if lock, err := sqlite.Lock(s.State); err != nil {
		t.Errorf("after the end: %v", err)
	} else {
		_ = lock.Close()
	}
}

func TestAStartDoesNotWaitForAControlPlaneThatAnswers(t *testing.T) {
	s := control{Config: Config{State: t.TempDir()}}
	s.paths = paths{s.State}
	lock, err := sqlite.Lock(s.State)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	l, err := net.Listen("unix", s.socket())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	began := 0
	err = untilFree(t.Context(), s.silent, func() error {
		began++
		_, err := sqlite.Lock(s.State)
		return err
	})
	if began != 1 || fairlead.CodeOf(err) != fairlead.Conflict {
		t.Errorf("%d tries, %v", began, err)
	}
}
