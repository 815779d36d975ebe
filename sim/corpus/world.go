package corpus

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"time"
)

const (
	// Deadline of a request.
	Deadline = 30 * time.Second
	// Replicas that a release has at full weight.
	Replicas = 4
	// Past is how much of the old release's traffic judges know when a rollout begins.
	Past = 10 * time.Minute

	burnIn = 5 * time.Minute // before that, until as many sessions end as begin

	baseErrors  = 0.005
	baseWrong   = 0.10
	baseRefused = 0.01
	baseBadTool = 0.005
	frailShare  = 0.02
	outageTime  = 5 * time.Minute
	outageRate  = 0.3
)

// The two applications. An answer of api takes 120 ms (median, log-normal with
// deviation 0.5). One of chat streams: its first byte comes after 400 ms (median,
// log-normal with deviation 0.4), and each token takes 20 ms more.
const (
	API  = "api"
	Chat = "chat"

	apiMedian   = 0.12
	apiSpread   = 0.5
	firstMedian = 0.4
	firstSpread = 0.4
	perToken    = 0.02
)

// Split tells worlds for tuning a rule from those for scoring it.
type Split uint64

// The splits: no world is in both.
const (
	Tune Split = iota + 1
	Score
)

// World is one seeded run of a cell. Two worlds with the same arguments are the
// same. It is not safe for concurrent use.
type World struct {
	cell     Cell
	seed     uint64
	rng      *rand.Rand // of outcomes
	arrivals *arrivals
	salt     uint64 // of the units' nature
	outage   time.Duration
	number   uint32
	now      time.Duration // beginning of the next second
	pairs    []pair        // of the newest second; used again
}

// pair is a request with both its potential outcomes.
type pair struct {
	visit
	number uint32
	u      uint64 // for what depends on the instance
	on     [2]Request
}

// NewWorld returns the n-th world of a cell in a split.
func NewWorld(c Cell, split Split, n int) *World {
	h := fnv.New64a()
	_, _ = h.Write([]byte(c.Name)) // never fails
	seed := mix(h.Sum64(), uint64(split)<<32|uint64(n))
	w := &World{
		cell: c, seed: seed, salt: mix(seed, 1), rng: rand.New(rand.NewPCG(seed, 2)), now: -Past - burnIn,
	}
	w.arrivals = newArrivals(c.Traffic, rand.New(rand.NewPCG(seed, 3)), w.now)
	w.outage = time.Minute + time.Duration(w.rng.Float64()*float64(9*time.Minute))
	for w.now < -Past {
		w.tick()
	}
	w.number = 0
	return w
}

// start returns what judges know at the beginning. It is called once, before the
// first second.
func (w *World) start() Start {
	chat := w.cell.App == Chat
	s := Start{Deadline: Deadline, Reports: chat, Streams: chat, Replicas: Replicas, Sticky: w.cell.Traffic.Sticky, Seed: mix(w.seed, 4)}
	s.History = make([]Request, 0, int(1.3*w.cell.Traffic.Rate*Past.Seconds())+16)
	v := newView(w, false)
	for w.now < 0 {
		for i, pairs := 0, w.tick(); i < len(pairs); i++ {
			s.History = append(s.History, v.meet(&pairs[i]))
		}
	}
	w.number = 0
	return s
}

// tick returns the requests of the next second in order of arrival. They are good
// until the next call.
func (w *World) tick() []pair {
	visits := w.arrivals.tick()
	w.now += time.Second
	if cap(w.pairs) < len(visits) {
		w.pairs = make([]pair, len(visits)+len(visits)/2)
	}
	w.pairs = w.pairs[:len(visits)]
	for i := range visits {
		w.draw(&w.pairs[i], visits[i])
	}
	return w.pairs
}

// luck is what chance gives a request, the same on both releases.
type luck struct{ fail, class, latency, tokens, wrong, refused, tool float64 }

// draw makes both outcomes of a visit from the same luck. The number of draws does
// not depend on what comes out, so that worlds of a seed differ in their fault only.
func (w *World) draw(p *pair, v visit) {
	r := w.rng
	l := luck{fail: r.Float64(), class: r.Float64(), latency: r.NormFloat64()}
	if w.cell.App == Chat {
		l.tokens, l.wrong, l.refused, l.tool = r.NormFloat64(), r.Float64(), r.Float64(), r.Float64()
	}
	*p = pair{visit: v, number: w.number, u: r.Uint64()}
	w.number++
	base := w.errors(&v)
	p.on[Stable] = w.outcome(&v, p.number, &l, base, Fault{})
	if w.cell.Fault.none() {
		p.on[Canary] = p.on[Stable]
	} else {
		p.on[Canary] = w.outcome(&v, p.number, &l, w.cell.Fault.errors(&v, base), w.cell.Fault)
	}
	p.on[Canary].Canary = true
}

// errors returns the old release's error rate for a visit.
func (w *World) errors(v *visit) float64 {
	t := w.cell.Trouble
	switch {
	case t.Outage && v.at >= w.outage && v.at < w.outage+outageTime:
		return outageRate
	case t.Frail && float64(mix(v.unit, w.salt)>>11)/(1<<53) < frailShare:
		return 0.3
	case t.Frail:
		return 0.001
	case t.Base > 0:
		return t.Base
	}
	return baseErrors
}

// outcome is what a release makes of a visit.
func (w *World) outcome(v *visit, number uint32, l *luck, errors float64, f Fault) Request {
	r := Request{At: v.at, Unit: v.unit, Number: number, Tenant: v.tenant, Route: v.route}
	first, whole := apiMedian*math.Exp(apiSpread*l.latency), 0.0
	if w.cell.App == Chat {
		first = firstMedian * math.Exp(firstSpread*l.latency)
		tokens := min(max(tokensMedian*math.Exp(tokensSpread*l.tokens), 1), tokensMost)
		r.Tokens = uint32(tokens)
		whole = tokens * perToken
	}
	if f.First > 0 {
		first *= f.First
	}
	whole += first
	if f.Slow > 0 && (!f.Tail || l.latency > 1.2816) {
		first, whole = first*f.Slow, whole*f.Slow
	}
	r.First, r.Latency = seconds(first), seconds(whole)
	if l.fail < errors {
		fail(&r, l.class)
	} else if w.cell.App == Chat {
		report(&r, l, f)
	}
	return r
}

// fail ends a request in an error: 80 % are answered early by a 5xx, 15 % break off
// in the middle, 5 % pass the deadline.
func fail(r *Request, class float64) {
	switch {
	case class < 0.8:
		r.Outcome, r.Latency = ServerError, r.First*3/10
	case class < 0.95:
		r.Outcome, r.Latency = Reset, r.Latency*7/10
	default:
		r.Outcome, r.Latency = Timeout, Deadline
	}
	r.First, r.Tokens = min(r.First, r.Latency), 0
	if r.Outcome == Timeout {
		r.First = r.Latency
	}
}

// report fills in what the application says of an answer.
func report(r *Request, l *luck, f Fault) {
	r.Wrong = l.wrong < baseWrong+f.Wrong
	r.Refused = l.refused < baseRefused+f.Refused
	r.BadTool = l.tool < baseBadTool+f.BadTool
	r.Quality = float32(min(max(0.3+0.7*(l.wrong-f.Wrong), 0), 1))
	cost := 0.05 + 0.001*float64(r.Tokens)
	if f.Cost > 0 {
		cost *= f.Cost
	}
	r.Cost = float32(cost)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// mix is a hash of u with a salt (the finalizer of SplitMix64).
func mix(u, salt uint64) uint64 {
	u ^= salt * 0x9e3779b97f4a7c15
	u = (u ^ u>>30) * 0xbf58476d1ce4e5b9
	u = (u ^ u>>27) * 0x94d049bb133111eb
	return u ^ u>>31
}
