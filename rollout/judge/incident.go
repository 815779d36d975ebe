package judge

// The rule of a shared incident, see incident.
const (
	incidentBlocks   = 10   // the least number of blocks that are "recent"
	incidentRequests = 20   // the least number of recent requests in each arm
	incidentKnown    = 100  // stable requests before that, to know its usual level
	incidentFailures = 5    // recent failures in each arm
	incidentTimes    = 3    // both arms' rates are more than so many times the usual rate
	incidentPoints   = 0.05 // plus this share of the requests
)

// requests counts requests and failures by arm.
type requests struct{ all, failed [2]float64 }

func (r *requests) add(o requests, sign float64) {
	for arm := range r.all {
		r.all[arm] += sign * o.all[arm]
		r.failed[arm] += sign * o.failed[arm]
	}
}

// incident sees when both arms are worse than the old release was earlier in the
// rollout: a fault that they share, such as a dependency's, which the new release may
// have broken: blocks cannot tell. Then a comparison says little about the release,
// and it is better to hold and say so. It is a plain rule
// with no stated error, on requests, because in an outage units that failed soon
// are all there is: in the recent blocks, both arms fail more than three times
// as often as the stable arm did before them, plus five points. Blocks of an
// incident do not count as usual ones. It never touches the evidence of harm.
type incident struct {
	recent []requests // a block each
	sum    requests   // of recent
	usual  requests   // of the blocks before, without incidents; only stable's counts
	shared bool
}

// add takes a block's requests.
func (i *incident) add(r requests) {
	i.recent = append(i.recent, r)
	i.sum.add(r, 1)
	for len(i.recent) > incidentBlocks {
		oldest := i.recent[0]
		for arm := range oldest.all {
			if i.sum.all[arm]-oldest.all[arm] < incidentRequests && len(i.recent) < 100*incidentBlocks {
				return
			}
		}
		i.recent = i.recent[1:]
		i.sum.add(oldest, -1)
		if !i.shared {
			i.usual.add(oldest, 1)
		}
		i.shared = i.now()
	}
	i.shared = i.now()
}

func (i *incident) now() bool {
	if i.usual.all[stable] < incidentKnown {
		return false
	}
	usual := (i.usual.failed[stable] + 1) / (i.usual.all[stable] + 1)
	for arm := range i.sum.all {
		if i.sum.all[arm] < incidentRequests || i.sum.failed[arm] < incidentFailures ||
			i.sum.failed[arm] <= (incidentTimes*usual+incidentPoints)*i.sum.all[arm] {
			return false
		}
	}
	return true
}
