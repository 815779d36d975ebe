package client

import "github.com/fairlead/fairlead/workload"

// Health is how the instances of a site are that have its traffic, or are to get it.
type Health struct {
	Ready    int
	Wanted   int // how many there should be
	Restarts int
}

// Health counts the site's instances. Those of a release that failed or went back, and
// those that end, are left out.
func (s Site) Health() Health {
	var h Health
	belong := 0
	for _, in := range s.Instances {
		if !s.serves(in) {
			continue
		}
		belong++
		h.Restarts += in.Restarts
		if in.State == workload.Ready {
			h.Ready++
		}
	}
	for _, n := range s.Wanted {
		h.Wanted += n
	}
	if s.Wanted == nil {
		h.Wanted = belong
	}
	return h
}

// serves reports whether an instance belongs to what has traffic or is to get it.
func (s Site) serves(in workload.Status) bool {
	if in.State == workload.Exited || in.State == workload.Stopping {
		return false
	}
	r := s.Rollout
	return in.Release == s.Stable || r != nil && (in.Release == r.To && (r.Outcome == "" || r.Phase == "watching") ||
		in.Release == r.From && r.Phase == "watching")
}
