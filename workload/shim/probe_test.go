package shim

import (
	"testing"
	"time"
)

func TestAStartIsCheckedOftenAtFirstAndThenAtItsInterval(t *testing.T) {
	var total time.Duration
	wait := quickProbe / 2
	for range 100 {
		next := nextProbe(wait, time.Second, false)
		if next < wait || next > slowProbe {
			t.Fatalf("after %s it waits %s, want more, up to %s", wait, next, slowProbe)
		}
		if wait = next; wait < slowProbe {
			total += wait
		}
	}
	if wait != slowProbe || total > 100*time.Millisecond {
		t.Errorf("it waits %s after %s of quick checks", wait, total)
	}
	if next := nextProbe(wait, time.Second, true); next != time.Second {
		t.Errorf("once it has passed it waits %s, want its interval", next)
	}
	if next := nextProbe(quickProbe/2, time.Millisecond, false); next != time.Millisecond {
		t.Errorf("it waits %s, want no longer than its interval of 1ms", next)
	}
}
