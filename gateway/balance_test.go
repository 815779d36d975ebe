package gateway

import (
	"testing"
	"time"
)

func backendOf(ids ...string) *backend {
	b := &backend{}
	for _, id := range ids {
		b.instances = append(b.instances, newInstance(Instance{ID: id, Address: "tcp:127.0.0.1:1"}))
	}
	return b
}

func TestTheLessLoadedOfTwoIsPicked(t *testing.T) {
	b := backendOf("a", "b")
	b.instances[0].inFlight.Store(5)
	for range 100 {
		if got := b.pick(nil, time.Now()); got != b.instances[1] {
			t.Fatalf("picked %s", got.id)
		}
	}
}

func TestEveryInstanceIsPickedAndNoneThatWasTried(t *testing.T) {
	b := backendOf("a", "b", "c", "d")
	count := map[string]int{}
	for range 4000 {
		count[b.pick(b.instances[:1], time.Now()).id]++
	}
	for _, id := range []string{"b", "c", "d"} {
		if count[id] < 1000 { // of 1333
			t.Errorf("%s was picked %d times of 4000", id, count[id])
		}
	}
	if count["a"] > 0 || b.pick(b.instances, time.Now()) != nil {
		t.Error("picked what was tried")
	}
}

func TestAnInstanceThatCannotBeReachedIsLeftOutForAGrowingTimeButNotTheLast(t *testing.T) {
	b, now := backendOf("a", "b"), time.Now()
	a := b.instances[0]
	for range ejectAfter - 1 {
		if d := b.unreachable(a, now); d != 0 {
			t.Fatalf("ejected early, for %s", d)
		}
	}
	first := b.unreachable(a, now)
	if first == 0 || !a.ejected() {
		t.Fatal("not ejected")
	}
	for range 100 {
		if b.pick(nil, now) == a {
			t.Fatal("picked while ejected")
		}
	}
	for range 10 * ejectAfter {
		if d := b.unreachable(b.instances[1], now); d != 0 {
			t.Fatal("the last one was ejected")
		}
	}
	later := now.Add(first)
	if second := b.unreachable(a, later); second <= first {
		t.Errorf("second ejection %s after %s", second, first)
	}
	if !a.reached() || a.ejected() || a.reached() {
		t.Error("a success does not end the ejection once")
	}
}

func TestWhenAllAreEjectedTheyAreTriedAnyway(t *testing.T) {
	b, now := backendOf("a"), time.Now()
	b.instances[0].heldUntil.Store(now.Add(time.Hour).UnixNano())
	if b.pick(nil, now) == nil {
		t.Error("nothing was picked")
	}
}
