// Package telemetry finds the metrics that instances serve and joins them into one
// page, labelled by app, environment, release and instance. Nothing is configured: an
// instance that is ready is asked for /metrics on its app's port, and again when the
// instances change.
//
// Instances are not trusted: what one serves is bounded in size, time and form, and an
// instance whose page cannot be read spoils no other's.
package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/boundedget"
	"github.com/fairlead/fairlead/internal/dialpass"
	"github.com/fairlead/fairlead/internal/exposition"
)

// Path is where metrics are looked for.
const Path = "/metrics"

// How often and how long instances are asked.
const (
	lookEvery   = 2 * time.Second  // for instances that came or went
	foundAgain  = time.Minute      // after metrics were found
	missedAgain = time.Minute      // after none were found, for an app may begin to serve them late
	silentAgain = 10 * time.Second // after no answer
	answerIn    = 5 * time.Second  // one instance's answer
	atOnce      = 8                // instances that are asked at once
)

// Instance is one that may serve metrics.
type Instance struct {
	ID      string
	Site    fairlead.Site
	Release int
	Address string // as gateways dial it
	Ready   bool
}

// Target is an instance with what was found there.
type Target struct {
	Instance
	Found bool   // it serves metrics
	Why   string // why not, or why its page could not be read last
	Seen  time.Time
}

// Finder looks for metrics. Its fields must not be changed once it runs. It is safe for
// concurrent use.
type Finder struct {
	List func(ctx context.Context) ([]Instance, error)
	Now  func() time.Time
	Log  *slog.Logger

	scraping sync.Mutex // one scrape at a time, however many ask

	mu      sync.Mutex
	targets map[string]Target // that were asked, by id
}

// Run looks until ctx ends, and returns when nothing is being asked any more.
func (f *Finder) Run(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		f.Look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Look asks every instance that is due once, and forgets those that are gone.
func (f *Finder) Look(ctx context.Context) {
	instances, err := f.List(ctx)
	if err != nil {
		if ctx.Err() == nil {
			f.Log.Debug("instances cannot be listed to look for metrics", "error", err)
		}
		return
	}
	f.each(f.due(instances), func(i Instance) { _, _ = f.read(ctx, i) }) // what it says is in the targets
}

// each does something with every instance, several at once.
func (f *Finder) each(instances []Instance, do func(Instance)) {
	slots := make(chan struct{}, atOnce)
	var asking sync.WaitGroup
	for _, i := range instances {
		slots <- struct{}{}
		asking.Go(func() {
			do(i)
			<-slots
		})
	}
	asking.Wait()
}

// due returns the instances that should be asked now.
func (f *Finder) due(instances []Instance) []Instance {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, targets := f.Now(), map[string]Target{}
	var due []Instance
	for _, i := range instances {
		t, known := f.targets[i.ID]
		if known {
			t.Instance = i
			targets[i.ID] = t
		}
		if i.Ready && (!known || now.Sub(t.Seen) >= t.again()) {
			due = append(due, i)
		}
	}
	f.targets = targets
	return due
}

func (t Target) again() time.Duration {
	switch {
	case t.Found:
		return foundAgain
	case strings.HasPrefix(t.Why, noPage):
		return missedAgain
	}
	return silentAgain
}

// noPage begins why an instance that answers has no metrics.
const noPage = "it answers " + Path + " with "

// read asks one instance and notes what came of it.
func (f *Finder) read(ctx context.Context, i Instance) (exposition.Page, error) {
	page, err := ask(ctx, i)
	if err != nil && ctx.Err() != nil {
		return page, err
	}
	t := Target{Instance: i, Found: err == nil, Seen: f.Now()}
	if err != nil {
		t.Why = err.Error()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	before, known := f.targets[i.ID]
	if known && before.Found && err != nil && !strings.HasPrefix(t.Why, noPage) {
		t.Found = true // it served metrics and fails to, which its scrapes show
	}
	if f.targets == nil {
		f.targets = map[string]Target{}
	}
	f.targets[i.ID] = t
	return page, err
}

// ask gets the page of one instance.
func ask(ctx context.Context, i Instance) (exposition.Page, error) {
	dial, err := dialpass.To(i.Address)
	if err != nil {
		return exposition.Page{}, err
	}
	answer, err := boundedget.Get(ctx, boundedget.Ask{
		URL: "http://instance" + Path, Dial: dial, Accept: "text/plain;version=0.0.4", Agent: "fairlead-metrics", Within: answerIn, Most: exposition.MostBytes,
	})
	if err != nil {
		return exposition.Page{}, err
	}
	if answer.Status != http.StatusOK {
		return exposition.Page{}, fmt.Errorf(noPage+"status %d", answer.Status)
	}
	page, err := exposition.Parse(answer.Body)
	switch {
	case err != nil:
		return exposition.Page{}, fmt.Errorf(noPage+"no page of metrics: %s", boundedget.Clean(err.Error()))
	case len(page.Samples) == 0:
		return exposition.Page{}, fmt.Errorf(noPage + "no metrics")
	}
	return page, nil
}

// Targets returns the instances that were asked, sorted by id.
func (f *Finder) Targets() []Target {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []Target
	for _, t := range f.targets {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b Target) int { return strings.Compare(a.ID, b.ID) })
	return all
}
