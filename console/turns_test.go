package console

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestASessionHasSoManyTurnsAtOnceAndAnotherHasItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newTurns(2)
		var at, most atomic.Int64
		for range 9 {
			go func() {
				done, err := all.take(t.Context(), "mallory")
				if err != nil {
					t.Error(err)
					return
				}
				defer done()
				if now := at.Add(1); now > most.Load() {
					most.Store(now)
				}
				time.Sleep(time.Minute)
				at.Add(-1)
			}()
		}
		synctest.Wait()
		done, err := all.take(t.Context(), "ada")
		if err != nil || at.Load() != 2 {
			t.Errorf("%d turns are taken; another's: %v", at.Load(), err)
		}
		done()
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := all.take(impatient, "mallory"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a third turn: %v", err)
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if at.Load() != 0 || most.Load() != 2 || len(all.held) != 0 {
			t.Errorf("at the end %d have a turn, at most %d had, %d are remembered", at.Load(), most.Load(), len(all.held))
		}
	})
}

func TestCostlyLooksOfOneSessionDoNotDelayThoseOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene()
		var looking, most atomic.Int64
		costly := func(ctx context.Context) (frame, error) {
			if now := looking.Add(1); now > most.Load() {
				most.Store(now)
			}
			defer looking.Add(-1)
			time.Sleep(4 * time.Second)
			return frame{"head": "slow"}, nil
		}
		quick := s.look
		var all []*follower
		for i := range 40 {
			all = append(all, s.followLook("mallory", string(rune('a'+i)), costly))
		}
		ada := s.followLook("ada", "page", quick)
		before := s.looks.Load()
		time.Sleep(time.Minute)
		if n := s.looks.Load() - before; n < 110 {
			t.Errorf("another session's page was looked at %d times in a minute", n)
		}
		if most.Load() != looksAtOnce {
			t.Errorf("%d costly looks of a session at once", most.Load())
		}
		leave(append(all, ada)...)
	})
}
