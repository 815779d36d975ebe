package gateway

import (
	"sync"
	"time"
)

// deadline calls a function when a time has passed, unless it was stopped. Unlike
// with a bare timer, the function neither begins nor runs on once stop returned.
type deadline struct {
	mu    sync.Mutex
	timer *time.Timer
	over  bool
}

func (d *deadline) start(after time.Duration, late func()) {
	d.timer = time.AfterFunc(after, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if !d.over {
			d.over = true
			late()
		}
	})
}

func (d *deadline) stop() {
	d.timer.Stop()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = true
}
