package gateway

import (
	"context"
	"time"
)

// A request that finds no instance waits for one: an instance that died is started
// again by its shim, or replaced by the control plane, within moments. It waits only
// while that is likely: for Config.Hold after the app was last there.
const (
	holdMost  = 1000 // requests that wait at once; more are refused
	holdFirst = 20 * time.Millisecond
	holdLast  = 200 * time.Millisecond // between two looks
)

// hold waits until there is an instance for a request that found none, of which no
// byte was sent. It reports whether there is one.
func (x *exchange) hold(ctx context.Context) bool {
	if x.proxy.held.Add(1) > holdMost {
		x.proxy.held.Add(-1)
		return false
	}
	defer x.proxy.held.Add(-1)
	hope := time.Unix(0, x.up.Load()).Add(x.proxy.holdFor)
	for pause := holdFirst; time.Now().Before(hope); pause = min(2*pause, holdLast) {
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return false
		case <-timer.C:
		}
		if x.Again(time.Now()) {
			return true
		}
	}
	return false
}
