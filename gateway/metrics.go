package gateway

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead"
)

// Metrics returns what the gateway counts, in Prometheus's text exposition format
// (docs/reference/metrics.md). Counters begin at 0 with each start.
func (c *Core) Metrics() []byte {
	var e exposition
	p, s := c.proxy, c.Status()
	inFlight := 0
	for _, n := range s.InFlight {
		inFlight += n
	}
	e.one("start_time_seconds", "gauge", "When the gateway started, in Unix time.", unixSeconds(c.started))
	e.one("requests_total", "counter", "Requests of clients.", float64(s.Requests))
	e.one("refused_total", "counter", "Requests that found no route or nothing ready.", float64(s.Refused))
	e.one("signals_total", "counter", "Signals that answers reported by Fairlead-Signal.", float64(p.signals.Load()))
	e.one("signals_ignored_total", "counter", "Reported signals that were left out: malformed, given twice, or too many.", float64(p.ignored.Load()))
	e.one("in_flight", "gauge", "Requests at an instance now.", float64(inFlight))
	p.registry.expose(&e)
	e.one("instances_ejected", "gauge", "Instances out of balance after failed connections.", float64(len(s.Ejected)))
	e.one("ejections_total", "counter", "How often an instance was ejected.", float64(p.alone.ejections.Load()))
	p.mirrors.expose(&e)
	e.one("snapshot_term", "gauge", "Term of the snapshot in force: which start of the control plane gave it.", float64(s.Applied.Term))
	e.one("snapshot_sequence", "gauge", "Sequence of the snapshot in force.", float64(s.Applied.Seq))
	c.keeper.expose(&e)
	e.one("lease_expiries_total", "counter", "Leases that ran out unattended.", float64(p.alone.expiries.Load()))
	journal := c.journal.bytes()
	spooled, waiting := c.spool.waiting()
	e.one("journal_bytes", "gauge", "Size of the journal of what the gateway did alone.", float64(journal))
	e.one("journal_failures_total", "counter", "Events that could not be written to the journal.", float64(p.alone.unwritten.Load()))
	e.one("spool_bytes", "gauge", "Size of the blocks on disk.", float64(spooled))
	e.one("spool_blocks", "gauge", "Blocks that the control plane has not stored yet.", float64(waiting))
	e.one("blocks_dropped_total", "counter", "Blocks that no one took and that the spool had no room for.", float64(c.lost.dropped.Load()))
	e.one("blocks_unwritten_total", "counter", "Blocks that could not be written.", float64(c.lost.unwritten.Load()))
	return e.text.Bytes()
}

// expose says how many requests wait in lines.
func (g *registry) expose(e *exposition) {
	var waiting []sample
	for _, c := range g.waitCounts() {
		waiting = append(waiting, sample{siteLabels(c.Site), float64(c.Requests)})
	}
	e.family("queued", "gauge", "Requests that wait until a release has taken the place of another; of sites where some do.", waiting)
	e.one("queued_total", "counter", "Requests that waited so.", float64(g.lines.entered.Load()))
	e.one("queued_refused_total", "counter", "Requests that waited so for their whole time, or that there was no room for.", float64(g.lines.refused.Load()))
}

// metrics says how many connections there are.
func (c *crowd) metrics() []byte {
	now, refused := c.count()
	var e exposition
	e.one("connections", "gauge", "Connections of clients.", float64(now))
	e.one("connections_limit", "gauge", "Most connections of clients; one address has at most half of them.", float64(c.most))
	e.one("connections_refused_total", "counter", "Connections that were closed because there were too many.", float64(refused))
	return e.text.Bytes()
}

// expose says how the leases stand.
func (k *keeper) expose(e *exposition) {
	k.mu.Lock()
	defer k.mu.Unlock()
	renewed := 0.0
	if !k.renewed.IsZero() {
		renewed = unixSeconds(k.renewed)
	}
	e.one("lease_renewed_timestamp_seconds", "gauge", "When a control plane last attended the gateway, in Unix time; 0 when none did since the start.", renewed)
	var expired, weight []sample
	for _, r := range k.snapshot.Routes {
		if r.Split == nil {
			continue
		}
		labels := siteLabels(r.Site)
		over, w := 0.0, r.Split.Weight
		if k.expired[r.Site] {
			over, w = 1, r.Split.Lease.Fallback
		}
		if r.Split.Lease.TTL > 0 {
			expired = append(expired, sample{labels, over})
		}
		weight = append(weight, sample{labels, float64(w) / float64(fairlead.Whole)})
	}
	e.family("lease_expired", "gauge", "1 while a site is on its fallback weight because its lease ran out; of sites that need a lease.", expired)
	e.family("canary_weight", "gauge", "Share of a site's units that a rollout's new release has, from 0 to 1; of sites with a rollout.", weight)
}

func siteLabels(s fairlead.Site) string {
	return fmt.Sprintf("{app=%s,env=%s}", quoteLabel(s.App), quoteLabel(s.Env))
}

// quoteLabel writes a label's value as the format wants it.
func quoteLabel(v string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(v) + `"`
}

func unixSeconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// sample is one value of a metric.
type sample struct {
	labels string // "" or "{name="value",...}"
	value  float64
}

// exposition is a text in the making.
type exposition struct{ text bytes.Buffer }

func (e *exposition) one(name, kind, help string, value float64) {
	e.family(name, kind, help, []sample{{value: value}})
}

// family writes a metric with its samples; nothing when there are none.
func (e *exposition) family(name, kind, help string, samples []sample) {
	if len(samples) == 0 {
		return
	}
	name = "fairlead_gateway_" + name
	fmt.Fprintf(&e.text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
	for _, s := range samples {
		fmt.Fprintf(&e.text, "%s%s %s\n", name, s.labels, strconv.FormatFloat(s.value, 'f', -1, 64))
	}
}
