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
	chance := new(proxy)
	for range 100 {
		if got := b.pick(nil, time.Now(), chance.draw()); got != b.instances[1] {
			t.Fatalf("picked %s", got.id)
		}
	}
}

func TestEveryInstanceIsPickedAndNoneThatWasTried(t *testing.T) {
	b := backendOf("a", "b", "c", "d")
	count, chance := map[string]int{}, new(proxy)
	for range 4000 {
		count[b.pick(b.instances[:1], time.Now(), chance.draw()).id]++
	}
	for _, id := range []string{"b", "c", "d"} {
		if count[id] < 1000 { // of 1333
			t.Errorf("%s was picked %d times of 4000", id, count[id])
		}
	}
	if count["a"] > 0 || b.pick(b.instances, time.Now(), 1) != nil {
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
	if b.unreachable(a, now) != 0 {
		t.Fatal("ejected twice before it took effect")
	}
	a.eject(now.Add(first))
	if first == 0 || !a.ejected() {
		t.Fatal("not ejected")
	}
	chance := new(proxy)
	for range 100 {
		if b.pick(nil, now, chance.draw()) == a {
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
	if !a.reached() || a.reached() {
		t.Error("a success does not end the ejection once")
	}
	if a.restore(); a.ejected() || a.reached() {
		t.Error("the ejection goes on after it ended")
	}
	if a.eject(later.Add(time.Hour)); a.heldUntil.Load() != 0 {
		t.Error("ejected although it was reached since that was decided")
	}
}

func TestWhenAllAreEjectedTheyAreTriedAnyway(t *testing.T) {
	b, now := backendOf("a"), time.Now()
	b.instances[0].heldUntil.Store(now.Add(time.Hour).UnixNano())
	if b.pick(nil, now, 1) == nil {
		t.Error("nothing was picked")
	}
}
