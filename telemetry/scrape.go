package telemetry

import (
	"context"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/exposition"
)

// mostSamples is how many samples of all instances one scrape holds. What comes after
// it is left out, and the instances it is of are marked so.
const mostSamples = 200_000

// ours begins the names of what Fairlead says itself. Instances may not say it.
const ours = "fairlead_"

// One writes what the instance called id serves now, as it labels it: for who labels it
// by Targets.
func (f *Finder) One(ctx context.Context, id string, w io.Writer) error {
	const op = "read metrics"
	for _, t := range f.Targets() {
		if t.ID != id || !t.Found || !t.Ready {
			continue
		}
		f.scraping.Lock()
		defer f.scraping.Unlock()
		page, err := f.read(ctx, t.Instance)
		if err != nil {
			return fairlead.Errorf(fairlead.Unavailable, op, "instance %s: %w", id, err)
		}
		return exposition.Join(w, []exposition.Labelled{{Page: withoutOurs(page)}})
	}
	return fairlead.Errorf(fairlead.NotFound, op, "no instance %s serves metrics at %s", id, Path).
		WithHint("see which do with: fairlead metrics --targets")
}

// Scrape writes a page of what all instances serve now. Each sample is labelled;
// fairlead_instance_metrics_up says whose could be read.
func (f *Finder) Scrape(ctx context.Context, w io.Writer) error {
	f.scraping.Lock()
	defer f.scraping.Unlock()
	var wanted []Instance
	for _, t := range f.Targets() {
		if t.Found && t.Ready {
			wanted = append(wanted, t.Instance)
		}
	}
	pages := f.pages(ctx, wanted)
	own := exposition.Page{Families: map[string]exposition.Family{
		ours + "instance_metrics_up": {Type: "gauge", Help: "1 where an instance's metrics could be read."},
	}}
	var all []exposition.Labelled
	samples := 0
	for n, i := range wanted {
		page, up := pages[n], "1"
		if samples += len(page.Samples); len(page.Samples) == 0 || samples > mostSamples {
			up = "0"
		} else {
			all = append(all, exposition.Labelled{Page: page, Labels: i.labels()})
		}
		own.Samples = append(own.Samples, exposition.Sample{Name: ours + "instance_metrics_up", Labels: i.labels(), Value: up})
	}
	return exposition.Join(w, append(all, exposition.Labelled{Page: own}))
}

// pages reads the instances' pages, in their order; one that could not be read is empty.
func (f *Finder) pages(ctx context.Context, wanted []Instance) []exposition.Page {
	var mu sync.Mutex
	read := map[string]exposition.Page{}
	f.each(wanted, func(i Instance) {
		page, err := f.read(ctx, i)
		if err != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		read[i.ID] = withoutOurs(page)
	})
	pages := make([]exposition.Page, len(wanted))
	for n, i := range wanted {
		pages[n] = read[i.ID]
	}
	return pages
}

// withoutOurs leaves out what only Fairlead says.
func withoutOurs(p exposition.Page) exposition.Page {
	kept := exposition.Page{Families: map[string]exposition.Family{}}
	for name, f := range p.Families {
		if !strings.HasPrefix(name, ours) {
			kept.Families[name] = f
		}
	}
	for _, s := range p.Samples {
		if !strings.HasPrefix(s.Name, ours) {
			kept.Samples = append(kept.Samples, s)
		}
	}
	return kept
}

func (i Instance) labels() []exposition.Label {
	return []exposition.Label{
		{Name: "app", Value: i.Site.App}, {Name: "environment", Value: i.Site.Env},
		{Name: "release", Value: strconv.Itoa(i.Release)}, {Name: "instance", Value: i.ID},
	}
}
