package sim

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"
)

// world is the clock, the chance and the order of everything that happens. One
// thing happens at a time; what happens next depends on the seed alone.
type world struct {
	chance  *rand.Rand
	now     time.Duration // since the world began
	agenda  agenda
	added   uint64
	current *task // running now, nil while the world itself acts
	trace   func(line string)
}

// epoch is the wall-clock time at which every world begins.
var epoch = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func newWorld(seed uint64, trace func(line string)) *world {
	return &world{chance: rand.New(rand.NewPCG(seed, 0x5eed)), trace: trace}
}

// time returns the world's true time.
func (w *world) time() time.Time { return epoch.Add(w.now) }

// say adds a line to the trace. Arguments are formatted only when one is wanted.
func (w *world) say(format string, args ...any) {
	if w.trace != nil {
		w.trace(fmt.Sprintf("%10.3fs  %s", w.now.Seconds(), fmt.Sprintf(format, args...)))
	}
}

// after has do happen d from now. Things of the same moment happen in the order in
// which they were planned.
func (w *world) after(d time.Duration, do func()) {
	w.added++
	heap.Push(&w.agenda, event{at: w.now + max(0, d), n: w.added, do: do})
}

// every has do happen again and again, until it returns false.
func (w *world) every(d time.Duration, do func() bool) {
	w.after(d, func() {
		if do() {
			w.every(d, do)
		}
	})
}

// step makes the next thing happen. It reports false when nothing is left.
func (w *world) step() bool {
	if len(w.agenda) == 0 {
		return false
	}
	e := heap.Pop(&w.agenda).(event)
	w.now = e.at
	e.do()
	return true
}

// likely reports true with probability p.
func (w *world) likely(p float64) bool { return p > 0 && w.chance.Float64() < p }

// between returns a time from least to most.
func (w *world) between(least, most time.Duration) time.Duration {
	return least + time.Duration(w.chance.Int64N(int64(most-least)+1))
}

// oneOf returns one of choices.
func oneOf[T any](w *world, choices ...T) T { return choices[w.chance.IntN(len(choices))] }

// Read fills b with chance. It makes a world the source of names and salts.
func (w *world) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(w.chance.Uint32())
	}
	return len(b), nil
}

type event struct {
	at time.Duration
	n  uint64
	do func()
}

// agenda is a heap of events by time.
type agenda []event

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].n < a[j].n
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }

// Push implements heap.Interface.
func (a *agenda) Push(x any) { *a = append(*a, x.(event)) }

// Pop implements heap.Interface.
func (a *agenda) Pop() any {
	last := len(*a) - 1
	e := (*a)[last]
	(*a)[last] = event{}
	*a = (*a)[:last]
	return e
}
