// Package guard gets the numbers of guards: from a server that answers PromQL by the
// Prometheus HTTP API, or from the metrics that a release's own instances serve. What
// answers is not trusted: its size and its time are bounded, and only one finite
// number counts. A guard is a plain threshold, without a stated error.
package guard

import (
	"context"
	"net"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/boundedget"
	"github.com/fairlead/fairlead/rollout"
)

const (
	answerWithin = 5 * time.Second // one call
	answerMost   = 8 << 20         // bytes of one answer
)

// Reader looks at guards. It is safe for concurrent use and keeps no connections.
type Reader struct{}

var _ rollout.Guards = Reader{}

// Look returns a guard's number. Its error says in a few words why there is none.
func (r Reader) Look(ctx context.Context, g fairlead.Guard, at rollout.GuardPlace) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	if g.Metric != "" {
		return r.metric(ctx, g, at.Instances)
	}
	return r.query(ctx, g, at)
}

// get returns the body of an answer, with its status.
func get(ctx context.Context, address string, dial func(ctx context.Context, network, address string) (net.Conn, error), accept string) (int, []byte, error) {
	answer, err := boundedget.Get(ctx, boundedget.Ask{
		URL: address, Dial: dial, Accept: accept, Agent: "fairlead-guard", Within: answerWithin, Most: answerMost,
	})
	return answer.Status, answer.Body, err
}
