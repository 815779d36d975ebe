package judge

import "testing"

func TestReportsThatWaitToBeSettledAreBounded(t *testing.T) {
	q := newSettled(0)
	q.delay(3600) // graders take an hour
	for i := range remembered + 1000 {
		q.add(int64(i/1000), record{unit: uint64(i)})
	}
	if q.held != remembered {
		t.Errorf("%d reports wait, want %d", q.held, remembered)
	}
	if n := len(q.next(1<<20, 1<<20)); n != remembered || q.held != 0 {
		t.Errorf("%d are settled, and %d wait still", n, q.held)
	}
	q.add(q.until, record{}) // too late for safety
	if q.add(q.until+1, record{}); q.held != 1 {
		t.Errorf("after that %d wait, want 1", q.held)
	}
	if q.afresh(); q.held != 0 {
		t.Error("a new step begins full")
	}
}
