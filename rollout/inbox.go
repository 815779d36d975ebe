package rollout

import (
	"context"
	"sync"
	"time"

	"github.com/fairlead/fairlead"
)

// inbox holds the blocks that were fetched and are not recorded yet.
type inbox struct {
	mu     sync.Mutex
	blocks []fairlead.Block
	taken  chan struct{} // gets a value when the blocks were recorded
}

// blocksWait is how long a fetch waits for the first block.
const blocksWait = time.Second

// Fetch asks the gateway once for blocks and keeps them for the next Round. It
// does nothing while the newest ones wait: what is not acknowledged would come
// again. It may run beside Round, but not beside itself.
func (l *Loop) Fetch(ctx context.Context) error {
	if l.inbox.waiting() != nil {
		return nil
	}
	blocks, err := l.Traffic.Blocks(ctx, blocksWait)
	if err != nil || len(blocks) == 0 {
		return err
	}
	l.inbox.put(blocks)
	l.poke()
	return nil
}

func (i *inbox) put(blocks []fairlead.Block) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.blocks = blocks
}

func (i *inbox) waiting() []fairlead.Block {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.blocks
}

// take empties the inbox: its blocks are recorded.
func (i *inbox) take() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.blocks = nil
	select {
	case i.taken <- struct{}{}:
	default:
	}
}

// awaitTaken returns when nothing waits, or when ctx ends.
func (i *inbox) awaitTaken(ctx context.Context) {
	for i.waiting() != nil {
		select {
		case <-i.taken:
		case <-ctx.Done():
			return
		}
	}
}
