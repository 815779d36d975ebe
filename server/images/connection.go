package images

import (
	"context"
	"errors"
	"sync"

	"github.com/fairlead/fairlead/workload/container"
)

// connection is to the engine, which is opened when it is asked for first. It is safe
// for concurrent use, and must not be copied.
type connection struct {
	host func() string // where an engine listens, or nothing
	root string        // the directory of the runtime, where it is noted which one it is

	mu     sync.Mutex
	opened *container.Engine
}

// get returns the engine, which it opens unless it is open.
func (c *connection) get(ctx context.Context) (*container.Engine, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.opened == nil {
		engine, err := container.Open(ctx, c.host())
		if err != nil {
			return nil, err
		}
		if err := engine.Remember(c.root); err != nil {
			return nil, errors.Join(err, engine.Close())
		}
		c.opened = engine
	}
	return c.opened, nil
}

// used returns the engine if it is open, or nil.
func (c *connection) used() *container.Engine {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.opened
}

func (c *connection) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.opened == nil {
		return nil
	}
	return c.opened.Close()
}
