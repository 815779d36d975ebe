package main

import (
	"slices"
	"time"
)

// goal is what a figure should be.
type goal struct {
	Limit   float64 `json:"limit"`
	AtLeast bool    `json:"atLeast,omitempty"` // the more the better
	Each    bool    `json:"each,omitempty"`    // every sample must reach it, not the median alone
}

// figure is something measured several times.
type figure struct {
	Name    string    `json:"name"`
	Unit    string    `json:"unit"`
	Goal    *goal     `json:"goal,omitempty"` // nil: it is told, not judged
	Samples []float64 `json:"samples"`
	Note    string    `json:"note,omitempty"` // what exactly was measured
}

func most(limit float64) *goal  { return &goal{Limit: limit} }
func each(limit float64) *goal  { return &goal{Limit: limit, Each: true} }
func least(limit float64) *goal { return &goal{Limit: limit, AtLeast: true} }

// median returns the middle sample, 0 without any.
func (f figure) median() float64 { return quantile(f.Samples, 0.5) }

// reached reports whether the median is within the goal, or every sample. A figure
// without goal or samples reaches nothing.
func (f figure) reached() bool {
	switch {
	case f.Goal == nil || len(f.Samples) == 0:
		return false
	case f.Goal.AtLeast:
		return f.median() >= f.Goal.Limit
	case f.Goal.Each:
		return slices.Max(f.Samples) <= f.Goal.Limit
	}
	return f.median() <= f.Goal.Limit
}

// quantile interpolates between samples.
func quantile(samples []float64, q float64) float64 {
	if len(samples) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(samples))
	place := q * float64(len(sorted)-1)
	below := int(place)
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (place-float64(below))*(sorted[above]-sorted[below])
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
