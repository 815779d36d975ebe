package corpus

import (
	"math"
	"time"
)

const (
	stallPeriod = time.Minute
	coldTime    = 30 * time.Second
	coldFactor  = 2.5
	killMean    = 30 * time.Minute
	killRestart = 5 * time.Second
	oomRestart  = 10 * time.Second
	loopAlive   = 20 * time.Second
	backoffLast = 5 * time.Minute
	unserved    = time.Millisecond       // a request for which no instance is ready is refused so soon
	never       = time.Duration(1 << 62) // far beyond any world, and no sum with a time of one overflows
)

// life follows one instance through its deaths. Times must not go back.
type life struct {
	cell   *Cell
	salt   uint64 // of the world, arm and instance
	canary bool
	since  time.Duration // the newest start, or when it will be; of the new release's instances, from their first request
	dies   time.Duration // end of that life
	deaths int
	taken  int // deaths that were reported
	unborn bool
}

func newLife(c *Cell, seed uint64, arm, n int) life {
	l := life{cell: c, salt: mix(seed, uint64(100+10*arm+n)), canary: arm == Canary, unborn: arm == Canary, dies: never}
	if arm == Stable {
		l.since = -Past - burnIn
		l.live()
	}
	return l
}

// live sets when the life that begins at since ends.
func (l *life) live() {
	chance := float64(mix(l.salt, uint64(l.deaths)+7)>>11) / (1 << 53)
	l.dies = never
	switch {
	case l.cell.Trouble.Kills:
		l.dies = l.since + time.Duration(-math.Log(1-chance)*float64(killMean)) // memoryless, so that both arms' instances are alike
	case l.cell.Fault.Leak && l.canary:
		l.dies = l.since + 15*time.Minute + time.Duration(chance*float64(10*time.Minute))
	case l.cell.Fault.Loop && l.canary:
		l.dies = l.since + loopAlive
	}
}

// at brings the instance to a time.
func (l *life) at(now time.Duration) {
	for !l.unborn && now >= l.dies {
		l.deaths++
		l.since = l.dies + l.restart()
		l.live()
	}
}

// restart is how long the newest restart takes: Kubernetes doubles it from 10 s to 5
// minutes for a container that crashes again and again.
func (l *life) restart() time.Duration {
	switch {
	case l.cell.Fault.Loop && l.canary:
		return min(10*time.Second<<min(l.deaths-1, 5), backoffLast)
	case l.cell.Fault.Leak && l.canary:
		return oomRestart
	}
	return killRestart
}

// up reports whether the instance serves at a time that at was called with.
func (l *life) up(now time.Duration) bool {
	if l.canary && l.cell.Fault.Unready {
		return false
	}
	return l.unborn || now >= l.since
}

// serve bends the outcome of a request that arrives at the instance, which is up.
func (l *life) serve(r *Request) {
	if l.unborn {
		l.unborn, l.since = false, r.At
		l.live()
	}
	age := r.At - l.since
	if l.cell.Trouble.Cold && age < coldTime && l.canary {
		l.slow(r, 1+(coldFactor-1)*(1-age.Seconds()/coldTime.Seconds()))
	}
	if whole := l.dies - l.since; l.cell.Fault.Leak && l.canary && age > whole*3/4 {
		l.slow(r, 1+2*(4*age.Seconds()/whole.Seconds()-3))
	}
	if l.cell.Trouble.Stalls {
		l.stall(r)
	}
	if left := l.dies - r.At; r.Latency > left { // it dies with the request in flight
		r.Outcome, r.Latency = Reset, left
		r.First = min(r.First, left)
		r.Wrong, r.Refused, r.BadTool, r.Quality, r.Cost, r.Tokens = false, false, false, 0, 0, 0
	}
}

func (l *life) slow(r *Request, factor float64) {
	if r.Outcome != Timeout {
		r.Latency = time.Duration(float64(r.Latency) * factor)
		r.First = time.Duration(float64(r.First) * factor)
	}
}

// stall delays a request that meets a stall of its instance, or arrives in one.
func (l *life) stall(r *Request) {
	period := r.At / stallPeriod
	for k := period - 1; k <= (r.At+r.Latency)/stallPeriod; k++ {
		chance := mix(l.salt, uint64(k)+1000)
		begin := k*stallPeriod + time.Duration(chance%58000)*time.Millisecond
		long := 500*time.Millisecond + time.Duration(chance>>32%1500)*time.Millisecond
		end := begin + long
		switch {
		case r.Outcome == Timeout:
		case r.At >= begin && r.At < end:
			r.Latency, r.First = r.Latency+end-r.At, r.First+end-r.At
		case r.At < begin && begin < r.At+r.Latency:
			if begin < r.At+r.First {
				r.First += long
			}
			r.Latency += long
		}
	}
}

// refuse is what becomes of a request for which no instance is up.
func refuse(r *Request) {
	r.Outcome, r.Latency, r.First, r.Tokens = ServerError, unserved, unserved, 0
	r.Wrong, r.Refused, r.BadTool, r.Quality, r.Cost = false, false, false, 0, 0
}
