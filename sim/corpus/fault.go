package corpus

import "time"

// Fault is what is wrong with the new release. The zero Fault is none. It changes
// the potential outcomes of requests on the new release, and no others.
type Fault struct {
	Errors  float64       `json:"errors,omitempty"`  // its error rate; 0 leaves that of the old release
	Tenant  int           `json:"tenant,omitempty"`  // only of this tenant, from 1; 0 for all
	Route   int           `json:"route,omitempty"`   // only on this route, from 1; 0 for all
	Onset   time.Duration `json:"onset,omitempty"`   // errors begin so long after the rollout
	Ramp    time.Duration `json:"ramp,omitempty"`    // and grow in a straight line over this time
	Slow    float64       `json:"slow,omitempty"`    // factor of latency; 0 is 1
	Tail    bool          `json:"tail,omitempty"`    // only of the slowest tenth
	First   float64       `json:"first,omitempty"`   // factor of the time to the first byte; 0 is 1
	Wrong   float64       `json:"wrong,omitempty"`   // share of bad answers, less that of the old release
	Refused float64       `json:"refused,omitempty"` // likewise, of refusals
	BadTool float64       `json:"badTool,omitempty"` // likewise, of malformed tool calls
	Cost    float64       `json:"cost,omitempty"`    // factor of the cost; 0 is 1
	Leak    bool          `json:"leak,omitempty"`    // each instance runs out of memory 15 to 25 minutes after its first request, ever slower in the last quarter
	Loop    bool          `json:"loop,omitempty"`    // each instance crashes 20 s after its first request, and after each restart
	Unready bool          `json:"unready,omitempty"` // no instance ever gets ready
}

// Trouble is what goes wrong on both releases alike, and is no fault of the new one.
type Trouble struct {
	Base     float64 `json:"base,omitempty"`     // error rate (default 0.5 %)
	Outage   bool    `json:"outage,omitempty"`   // something that both releases need fails 30 % of requests for 5 minutes, from 1 to 10 minutes after the beginning
	Frail    bool    `json:"frail,omitempty"`    // 2 % of sessions fail 30 % of their requests, the others 0.1 %
	Cold     bool    `json:"cold,omitempty"`     // an instance's requests take 2.5 times as long at first, falling to 1 in 30 s
	Stalls   bool    `json:"stalls,omitempty"`   // each instance stalls for 0.5 to 2 s once a minute
	Kills    bool    `json:"kills,omitempty"`    // each instance is killed from outside after 30 minutes on average, and is back in 5 s
	Mismatch bool    `json:"mismatch,omitempty"` // the new release gets 1.3 times the share that was asked for
}

// none reports whether releases do not differ.
func (f Fault) none() bool { return f == Fault{} }

// hits reports whether the fault's errors concern the visit.
func (f Fault) hits(v *visit) bool {
	return (f.Tenant == 0 || int(v.tenant) == f.Tenant-1) && (f.Route == 0 || int(v.route) == f.Route-1)
}

// errors returns the new release's error rate for a visit that would fail on the old
// one at rate base.
func (f Fault) errors(v *visit, base float64) float64 {
	switch {
	case f.Errors == 0 || v.at < f.Onset || !f.hits(v):
		return base
	case f.Ramp > 0 && v.at < f.Onset+f.Ramp:
		return base + (f.Errors-base)*float64(v.at-f.Onset)/float64(f.Ramp)
	}
	return f.Errors
}

// perInstance reports whether what happens depends on the instance that a request
// meets.
func (c Cell) perInstance() bool {
	return c.Fault.Leak || c.Fault.Loop || c.Fault.Unready || c.Trouble.Cold || c.Trouble.Stalls || c.Trouble.Kills
}
