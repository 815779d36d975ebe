package container

import (
	"fmt"
	"strings"

	"github.com/moby/moby/api/types/jsonstream"

	"github.com/fairlead/fairlead"
)

// maxLayers is how many layers are followed; engines take fewer than 130.
const maxLayers = 1000

// layer is one of an image that is being pulled.
type layer struct {
	size    int64 // bytes in the registry; 0 where the engine has not said
	fetched int64
	share   float64 // of all that is to be done with it, 0 to 1
}

// layers follows the layers of a pull. It is for one goroutine.
type layers struct {
	doing  string
	all    map[string]*layer
	most   float64 // percent that was told: it never goes back
	detail string
}

func newLayers(doing string) *layers { return &layers{doing: doing, all: map[string]*layer{}} }

// fetching is the share of a layer's work that is its transport; the rest is that
// the engine unpacks it.
const fetching = 0.75

// note takes in a message of the engine, and reports whether it says anything of the
// progress.
func (l *layers) note(m jsonstream.Message) bool {
	if m.ID == "" || strings.HasPrefix(m.Status, "Pulling from") {
		return false
	}
	at := l.all[m.ID]
	if at == nil {
		if len(l.all) >= maxLayers {
			return false
		}
		at = &layer{}
		l.all[m.ID] = at
	}
	l.detail = ""
	switch m.Status {
	case "Downloading":
		if m.Progress != nil && m.Progress.Total > 0 {
			at.size, at.fetched = m.Progress.Total, min(m.Progress.Current, m.Progress.Total)
			at.share = fetching * float64(at.fetched) / float64(at.size)
		}
	case "Verifying Checksum", "Download complete":
		at.fetched, at.share = at.size, fetching
	case "Extracting":
		if m.Progress != nil && m.Progress.Total > 0 {
			at.share = fetching + (1-fetching)*min(1, float64(m.Progress.Current)/float64(m.Progress.Total))
		}
	case "Pull complete", "Already exists":
		at.fetched, at.share = at.size, 1
	default:
		if !strings.HasPrefix(m.Status, "Retrying in") {
			return true // it waits
		}
		l.detail = "a layer broke off; the engine goes on: " + strings.ToLower(m.Status)
	}
	return true
}

// progress says how far the pull is. A layer whose size is not known yet counts as
// much as one of those known.
func (l *layers) progress() fairlead.Progress {
	var known, total, fetched int64
	done := 0
	for _, at := range l.all {
		if at.size > 0 {
			known++
			total += at.size
			fetched += at.fetched
		}
		if at.share == 1 {
			done++
		}
	}
	mean := 1.0
	if known > 0 {
		mean = float64(total) / float64(known)
	}
	var weight, sum float64
	for _, at := range l.all {
		w := mean
		if at.size > 0 {
			w = float64(at.size)
		}
		weight += w
		sum += w * at.share
	}
	if weight > 0 {
		l.most = max(l.most, 100*sum/weight)
	}
	p := fairlead.Progress{Doing: l.doing, Percent: l.most, Done: fetched, Total: total, Detail: l.detail}
	if p.Detail == "" {
		p.Detail = fmt.Sprintf("%d of %d layers", done, len(l.all))
	}
	return p
}
