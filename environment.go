package fairlead

// What an environment demands of the sandbox.
const (
	SandboxRequired  = "required"  // an instance starts only with every protection enforced
	SandboxPreferred = "preferred" // an instance starts with what the kernel has, and says what is missing
)

// Environment is one stage of the way to production.
type Environment struct {
	Name     string            `json:"name"`
	Replicas int               `json:"replicas,omitempty"` // instances (default 1)
	Sandbox  string            `json:"sandbox,omitempty"`  // required or preferred (default preferred)
	Env      map[string]string `json:"env,omitempty"`      // environment variables that apply here only
	Route    Route             `json:"route,omitempty"`    // default: the app's host, with the environment's name before it except in the last
	Strategy Strategy          `json:"strategy,omitempty"` // how a release enters
}

// The ways a release enters an environment.
const (
	Canary    = "canary"    // beside the old release, with growing shares of the traffic
	BlueGreen = "blueGreen" // all at once, less a holdback that stays on the old release
	Rolling   = "rolling"   // in place of the old instances, a few at a time
	Replace   = "replace"   // the old instances end before the new ones start; requests wait meanwhile
)

// What to do when neither safety nor harm is proven in a step's time.
const (
	OnInconclusiveHold     = "hold"     // stay at the weight until a person or evidence decides
	OnInconclusiveWiden    = "widen"    // double the weight, to learn faster, at most to one half
	OnInconclusiveRollback = "rollback" // go back
	OnInconclusivePromote  = "promote"  // go on without evidence; only where a file says so
)

// Strategy is how a release enters an environment and what it must prove.
type Strategy struct {
	Type           string    `json:"type,omitempty"`           // canary, blueGreen, rolling or replace (default canary); with a volume of one writer it is replace
	Alpha          float64   `json:"alpha,omitempty"`          // highest probability of rolling back a release that is no worse (default 1/300)
	Beta           float64   `json:"beta,omitempty"`           // highest probability of promoting one worse than the margins (default 1/20)
	Tolerance      float64   `json:"tolerance,omitempty"`      // odds ratio up to which a release counts as no worse (default 1)
	Margin         Margin    `json:"margin,omitempty"`         // harm that must be excluded
	Steps          []Percent `json:"steps,omitempty"`          // shares to earn before all traffic; 0 first is mirror alone (default 10, 50)
	Adaptive       *Adaptive `json:"adaptive,omitempty"`       // instead of steps: shares that follow the evidence
	Warmup         Duration  `json:"warmup,omitempty"`         // time in each step in which latency is not judged (default 5s)
	MinStep        Duration  `json:"minStep,omitempty"`        // shortest time at a step (default 5s); choose more than late reports take
	MaxStep        Duration  `json:"maxStep,omitempty"`        // longest time at a step before it is inconclusive (default 1h)
	Shrink         bool      `json:"shrink,omitempty"`         // the old release gives up instances to make room for the new one's
	OnInconclusive string    `json:"onInconclusive,omitempty"` // hold, widen, rollback or promote (default hold)
	RollbackWindow Duration  `json:"rollbackWindow,omitempty"` // time after promotion in which judging goes on (default 30m)
	Holdback       *Percent  `json:"holdback,omitempty"`       // share that stays on the old release in the window (default 5)

	Signals []SignalSpec `json:"signals,omitempty"` // what is reported and judged (default: the app's)
	Guards  []Guard      `json:"guards,omitempty"`  // thresholds on numbers of your own, without a stated error
	Mirror  *Mirror      `json:"mirror,omitempty"`  // copies of requests for the new release (default: none)
}

// Margin is harm that must be excluded before a release goes on.
type Margin struct {
	Ratio    float64 `json:"ratio,omitempty"`    // odds ratio, new to old (default 2)
	Absolute float64 `json:"absolute,omitempty"` // risk difference, as a share (default 0.01)
}

// Adaptive lets the next share follow the evidence, within bounds.
type Adaptive struct {
	First Percent `json:"first,omitempty"` // first share (default 5)
	Most  Percent `json:"most,omitempty"`  // last share before all traffic (default 50)
}
