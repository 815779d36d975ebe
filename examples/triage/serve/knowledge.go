package serve

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"time"
)

// upstreamConfig describes the simulated knowledge base and how it is called.
type upstreamConfig struct {
	FaultRate    float64       `json:"faultRate"`    // share of lookups that meet a fault at first
	LastingShare float64       `json:"lastingShare"` // share of the faults that no retry gets past; the others are over by the next try
	Retries      int           `json:"retries"`      // tries after the first
	Latency      latencyConfig `json:"latency"`      // of a try
}

// latencyConfig is a log-normal distribution.
type latencyConfig struct {
	Median duration `json:"median"`
	Sigma  float64  `json:"sigma"` // of the logarithm; 0.5 makes the 99th percentile 3.2 medians
	Max    duration `json:"max"`
}

func (u upstreamConfig) check() error {
	share := func(p float64) bool { return p >= 0 && p <= 1 }
	switch {
	case !share(u.FaultRate) || !share(u.LastingShare):
		return errors.New("upstream: faultRate and lastingShare lie between 0 and 1")
	case u.Retries < 0 || u.Retries > 5:
		return fmt.Errorf("upstream.retries: %d is not between 0 and 5", u.Retries)
	case u.Latency.Median.value < 0 || u.Latency.Max.value < u.Latency.Median.value || !(u.Latency.Sigma >= 0 && u.Latency.Sigma <= 2):
		return errors.New("upstream.latency: want 0 <= median <= max and a sigma between 0 and 2")
	}
	return nil
}

// knowledgeBase is a stand-in for a service that a real application would call:
// it answers after a while, and sometimes fails. Many goroutines may use it if
// they may use the source of its random numbers.
type knowledgeBase struct {
	config upstreamConfig
	random *rand.Rand
}

// upstreamError is a lookup that failed after its retries.
type upstreamError struct {
	status int // to answer with
	cause  string
}

func (e *upstreamError) Error() string { return "knowledge base: " + e.cause }

var (
	errUnreachable = &upstreamError{http.StatusBadGateway, "the connection was reset"}
	errGarbled     = &upstreamError{http.StatusInternalServerError, "its answer could not be read"}
)

// articles are what the knowledge base knows.
var articles = map[string]string{
	"billing":      "Invoices, payments and refunds",
	"bug":          "How to report a defect so that we can reproduce it",
	"cancellation": "Ending a plan and taking your data with you",
	"feature":      "How we choose what to build",
	"login":        "Getting back into your account",
	"outage":       "Service status and incident updates",
}

// lookup returns the title of the article on a topic. It fails with an
// *upstreamError, or with the context's error when ctx ends first.
func (k knowledgeBase) lookup(ctx context.Context, topic string) (title string, err error) {
	fault := k.draw()
	for try := 0; ; try++ {
		if err := pause(ctx, k.latency()); err != nil {
			return "", err
		}
		if fault == nil || try > 0 && !fault.lasting {
			break
		}
		if try == k.config.Retries {
			return "", fault.err
		}
	}
	if title, ok := articles[topic]; ok {
		return title, nil
	}
	return "Contacting support", nil
}

// fault is what one lookup meets.
type fault struct {
	lasting bool // no retry gets past it
	err     *upstreamError
}

// draw decides whether a lookup meets a fault; nil means that it meets none.
func (k knowledgeBase) draw() *fault {
	if k.random.Float64() >= k.config.FaultRate {
		return nil
	}
	f := &fault{lasting: k.random.Float64() < k.config.LastingShare, err: errUnreachable}
	if k.random.IntN(2) == 0 {
		f.err = errGarbled
	}
	return f
}

// latency draws how long one try takes.
func (k knowledgeBase) latency() time.Duration {
	l := k.config.Latency
	drawn := float64(l.Median.value) * math.Exp(l.Sigma*k.random.NormFloat64())
	return min(time.Duration(drawn), l.Max.value)
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// processSource draws from the random numbers of the whole process, which any
// number of goroutines may do at once.
type processSource struct{}

func (processSource) Uint64() uint64 { return rand.Uint64() }
