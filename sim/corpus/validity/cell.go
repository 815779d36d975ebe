// Package validity checks Fairlead's two promises with many short simulations: blocks
// are drawn at once, without requests, and go to the machine of a live rollout.
//
// A cell is a case in which the promise is to hold: releases that are alike, which
// must not be rolled back more often than alpha, and releases exactly at the margins,
// which must not be taken for safe more often than beta.
package validity

import (
	"time"

	"github.com/fairlead/fairlead/sim/corpus"
)

// Cell is one case.
type Cell struct {
	Name   string
	Rate   float64    // units a second
	Fail   [2]float64 // chance that a unit fails in a second, by arm
	Slow   [2]float64 // chance that it takes longer than stable's frozen p99, by arm; those of p90 and p50 go with it
	Margin bool       // at the margins: what counts is a first step that was called safe; else a rollback
	Watch  bool       // the rollback window counts too; else a rollout is over when it is promoted
	Most   time.Duration

	Pool     int  // sessions that come again and again; 0 for new units only
	Frail    bool // 2 % of sessions fail 30 % of their requests
	Outage   bool // both arms fail 30 % from 60 s on, for 5 minutes
	Drift    bool // the error rate swings between a third and three times its value in 10 minutes
	Stalls   bool // each instance stalls for a second, once in 30 s
	Mismatch bool // the new release gets 1.3 times its share
}

// alike is the usual chance of both arms.
func alike(p float64) [2]float64 { return [2]float64{p, p} }

// Chances that a unit passes stable's p50, p90 and p99, which are upper bounds of
// buckets with slack and so are passed less often than their names say.
const (
	beyondP50 = 0.43
	beyondP90 = 0.07
	beyondP99 = 0.009
)

// Cells returns all cases. As the corpus' they were fixed before the first run. Where
// a case does not say its rate, it is 50 units a second.
func Cells() []Cell {
	base := Cell{Rate: 50, Fail: alike(0.005), Slow: alike(beyondP99), Most: 15 * time.Minute}
	with := func(name string, change func(*Cell)) Cell {
		c := base
		c.Name = name
		change(&c)
		return c
	}
	margin := func(name string, rate float64, change func(*Cell)) Cell {
		return with(name, func(c *Cell) {
			c.Rate, c.Margin, c.Most = rate, true, time.Hour
			change(c)
		})
	}
	return []Cell{
		with("same", func(*Cell) {}),
		with("same, and watched, 10/s", func(c *Cell) { c.Rate, c.Watch, c.Most = 10, true, 70*time.Minute }),
		with("same, sessions", func(c *Cell) { c.Pool = 2000 }),
		with("base rate 1.5 %", func(c *Cell) { c.Fail = alike(0.015) }),
		with("base rate 10 %", func(c *Cell) { c.Fail = alike(0.1) }),
		with("frail sessions", func(c *Cell) { c.Pool, c.Frail, c.Fail = 2000, true, alike(0.001) }),
		with("shared outage", func(c *Cell) { c.Outage = true }),
		with("drift", func(c *Cell) { c.Drift = true }),
		with("stalls", func(c *Cell) { c.Stalls = true }),
		with("share mismatch", func(c *Cell) { c.Mismatch = true }),
		with("half as many errors", func(c *Cell) { c.Fail[corpus.Canary] = 0.0025 }),

		margin("margin: 0.5 → 1.5 %, 100/s", 100, func(c *Cell) { c.Fail[corpus.Canary] = 0.015 }),
		margin("margin: 0.5 → 1.5 %, 10/s", 10, func(c *Cell) { c.Fail[corpus.Canary] = 0.015 }),
		margin("margin: 5 % at odds 2, 100/s", 100, func(c *Cell) { c.Fail = [2]float64{0.05, odds(0.05, 2)} }),
		margin("margin: 1 point at odds 2, 100/s", 100, func(c *Cell) { c.Fail = [2]float64{0.0101, 0.0201} }),
		margin("margin: 1 point in drift, 100/s", 100, func(c *Cell) { c.Drift, c.Fail = true, [2]float64{0.05, odds(0.05, 2)} }),
		margin("margin: p99 at 1 point, 100/s", 100, func(c *Cell) { c.Slow = [2]float64{0.009, 0.0195} }),
	}
}

// odds returns the chance whose odds are w times those of p.
func odds(p, w float64) float64 { return w * p / (1 - p + w*p) }
