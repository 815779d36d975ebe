package server

import (
	"context"
	"iter"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger"
	"github.com/fairlead/fairlead/store/sqlite"
)

// easy is a snapshot that is read at half speed: after each stretch of work it rests as
// long as that took, so that the loop and the gateway always find a processor. It is for
// one reader at a time.
type easy struct {
	*sqlite.Reader
	seen  func(entries, facts uint64)
	began time.Time // of this stretch
	items int
}

// stretch is after how many items it rests, and longest how long at most.
const (
	stretch = 256
	longest = 50 * time.Millisecond
)

// Leaves implements verify.Source.
func (e *easy) Leaves(ctx context.Context) iter.Seq2[ledger.Leaf, error] {
	return eased(ctx, e, e.Reader.Leaves(ctx), func(n uint64) { e.seen(n, 0) })
}

// State implements verify.Source.
func (e *easy) State(ctx context.Context) iter.Seq2[fairlead.Row, error] {
	return eased(ctx, e, e.Reader.State(ctx), func(uint64) {})
}

// Facts implements verify.Source.
func (e *easy) Facts(ctx context.Context, stream string, from uint64) iter.Seq2[fairlead.Fact, error] {
	return eased(ctx, e, e.Reader.Facts(ctx, stream, from), func(n uint64) { e.seen(0, n) })
}

func eased[T any](ctx context.Context, e *easy, items iter.Seq2[T, error], seen func(uint64)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		passed := uint64(0)
		defer func() { seen(passed) }()
		for item, err := range items {
			if !yield(item, err) {
				return
			}
			passed++
			if e.items++; e.items%stretch == 0 {
				seen(passed)
				passed = 0
				e.rest(ctx)
			}
		}
	}
}

// rest waits as long as the work since the last rest took.
func (e *easy) rest(ctx context.Context) {
	pause := time.NewTimer(min(time.Since(e.began), longest))
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
	}
	e.began = time.Now()
}
