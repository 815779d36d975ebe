package corpus

import (
	"math"
	"math/rand/v2"
	"time"
)

// Traffic is how requests arrive.
type Traffic struct {
	Rate    float64 `json:"rate"`    // requests a second, on average
	Sticky  bool    `json:"sticky"`  // a session has several requests and is the unit of assignment
	Diurnal bool    `json:"diurnal"` // the rate follows a day, at an hour of it that the seed chooses
}

// The shape of traffic. Bursts and lengths are those of public traces:
//
//   - Gaps between arrivals are Gamma distributed with shape 0.5 and scale 2 (mean 1,
//     coefficient of variation 1.41), the setting that BurstGPT's own generator of
//     bursty traffic has (Wang et al., "BurstGPT", arXiv:2401.17644, whose authors fit
//     Gamma distributions to 10.31 million requests of 213 days;
//     github.com/HPMLL/BurstGPT, example/src/burstgpt/config.py: gamma_shape 0.5,
//     gamma_scale 2.0). A Gamma variable of shape 0.5 and mean 1 is the square of a
//     standard normal one.
//   - The rates 1, 10 and 100 lie around that of Azure's conversation trace of 2023:
//     19,366 requests from 18:15:46 to 19:14:08, 5.5 a second
//     (github.com/Azure/AzurePublicDataset, AzureLLMInferenceDataset2023.ipynb).
//   - Answers have a median of 129 tokens (the same trace: Patel et al., "Splitwise",
//     ISCA 2024, section III.A). Their distribution here is log-normal with a 90th
//     percentile of 398 tokens, that of Azure's conversation trace of 2024 as later
//     papers report it. The real one is said to have nearly two modes; this one has not.
//
// Ours, because no trace that we know has them: sessions have 4 requests on average
// (geometric) with 30 seconds between them (exponential, at most 4 minutes), and the
// busiest hour of a day has 4 times the requests of the quietest.
const (
	sessionMean  = 4.0
	thinkMean    = 30.0 // seconds
	thinkMost    = 240  // seconds
	dayAmplitude = 0.6  // of the mean: from 0.4 to 1.6
	tokensMedian = 129.0
	tokensSpread = 0.879 // ln(398/129) / 1.2816
	tokensMost   = 1000
)

const (
	tenants = 20 // the k-th has a share in proportion to 1/k
	day     = 24 * time.Hour
)

// routes have 50, 25, 15, 7 and 3 % of the requests; the sums of them.
func routeSums() []float64 { return []float64{0.5, 0.75, 0.9, 0.97, 1} }

func tenantSums() []float64 {
	sums, total := make([]float64, tenants), 0.0
	for k := range sums {
		total += 1 / float64(k+1)
		sums[k] = total
	}
	for k := range sums {
		sums[k] /= total
	}
	return sums
}

// visit is a request that is about to arrive.
type visit struct {
	at     time.Duration
	unit   uint64
	left   int // further requests of the session
	tenant uint16
	route  uint8
}

// arrivals makes the visits of a world, a second at a time.
type arrivals struct {
	traffic Traffic
	rng     *rand.Rand
	phase   float64 // of the day, in radians
	second  int64   // to come
	next    time.Duration
	due     [thinkMost + 2][]visit // by second, round and round: returning sessions
	visits  []visit                // of the newest second; used again
	tenants []float64              // cumulative shares
	routes  []float64
}

func newArrivals(t Traffic, rng *rand.Rand, from time.Duration) *arrivals {
	a := &arrivals{traffic: t, rng: rng, phase: rng.Float64() * 2 * math.Pi, second: floorSecond(from), next: from,
		tenants: tenantSums(), routes: routeSums()}
	a.next += a.gap()
	return a
}

// gap is the time from the newest session's first request to the next one's; without
// sessions, between requests.
func (a *arrivals) gap() time.Duration {
	rate := a.traffic.Rate
	if a.traffic.Sticky {
		rate /= sessionMean
	}
	if a.traffic.Diurnal {
		rate *= 1 + dayAmplitude*math.Sin(a.phase+2*math.Pi*float64(a.next)/float64(day))
	}
	z := a.rng.NormFloat64()
	return time.Duration(z * z / rate * float64(time.Second))
}

// tick returns the visits of the next second in order of time. They are good until
// the next call.
func (a *arrivals) tick() []visit {
	slot := a.slot(a.second)
	a.visits = append(a.visits[:0], *slot...)
	*slot = (*slot)[:0]
	a.second++
	for end := time.Duration(a.second) * time.Second; a.next < end; a.next += a.gap() {
		a.visits = append(a.visits, a.newcomer())
	}
	sortVisits(a.visits)
	if a.traffic.Sticky {
		for i := range a.visits {
			a.comeBack(&a.visits[i])
		}
	}
	return a.visits
}

func (a *arrivals) newcomer() visit {
	v := visit{at: a.next, unit: a.rng.Uint64(), tenant: uint16(pick(a.tenants, a.rng.Float64()))}
	if a.traffic.Sticky {
		v.left = int(math.Log(1-a.rng.Float64()) / math.Log(1-1/sessionMean))
	}
	v.route = uint8(pick(a.routes, a.rng.Float64()))
	return v
}

// comeBack puts the session's next request in its second.
func (a *arrivals) comeBack(v *visit) {
	if v.left == 0 {
		return
	}
	think := min(1+a.rng.ExpFloat64()*thinkMean, thinkMost)
	again := *v
	again.at, again.left = v.at+time.Duration(think*float64(time.Second)), v.left-1
	again.route = uint8(pick(a.routes, a.rng.Float64()))
	slot := a.slot(floorSecond(again.at))
	*slot = append(*slot, again)
}

func (a *arrivals) slot(second int64) *[]visit {
	n := int64(len(a.due))
	return &a.due[(second%n+n)%n]
}

func floorSecond(d time.Duration) int64 {
	s := int64(d / time.Second)
	if d < 0 && d%time.Second != 0 {
		s--
	}
	return s
}

// pick returns the first index whose cumulative share is above u.
func pick(shares []float64, u float64) int {
	for i, s := range shares {
		if u < s {
			return i
		}
	}
	return len(shares) - 1
}

// sortVisits sorts by time; few are out of order, so that insertion is quick.
func sortVisits(v []visit) {
	for i := 1; i < len(v); i++ {
		for k := i; k > 0 && v[k].at < v[k-1].at; k-- {
			v[k], v[k-1] = v[k-1], v[k]
		}
	}
}
