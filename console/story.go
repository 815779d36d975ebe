package console

import (
	"slices"
	"strings"
	"time"
)

// chapter is one sentence of the story.
type chapter struct {
	Number int
	At     time.Time
	Text   string
	Tone   string // safe, harm, held or ""
}

// How many sentences of the story are shown at once, and how many more can be unfolded.
const (
	mostChapters = 8
	mostEarlier  = 8
)

// Chapters are the newest sentences of the story, the newest first.
func (p rolloutPage) Chapters() []chapter { return p.told()[:min(mostChapters, len(p.Story))] }

// Earlier are those before them, as far as the page holds them.
func (p rolloutPage) Earlier() []chapter {
	return p.told()[min(mostChapters, len(p.Story)):min(mostChapters+mostEarlier, len(p.Story))]
}

// Oldest is how many sentences only the ledger tells.
func (p rolloutPage) Oldest() int { return max(0, len(p.Story)-mostChapters-mostEarlier) }

func (p rolloutPage) told() []chapter {
	kinds := map[time.Time]string{}
	for _, m := range p.course.Marks {
		kinds[m.At.UTC()] = m.Kind
	}
	all := make([]chapter, len(p.Story))
	for i, text := range p.Story {
		all[i] = chapter{Number: i, Text: text}
		if i < len(p.Told) {
			all[i].At = p.Told[i]
			all[i].Tone = toneOfKind(kinds[p.Told[i].UTC()])
		}
	}
	slices.Reverse(all)
	return all
}

// toneOfKind is the tone of a decision's entry.
func toneOfKind(kind string) string {
	switch strings.TrimPrefix(kind, "rollout.") {
	case "advanced", "promoted":
		return "safe"
	case "rolledBack", "aborted", "failed", "alerted":
		return "harm"
	case "held", "paused":
		return "held"
	}
	return ""
}
