package fairlead

// The kinds of reported signals. Each says which way is worse.
const (
	KindFailure    = "failure"    // 0 or 1; 1 is bad, such as a refusal
	KindSuccess    = "success"    // 0 or 1; 0 is bad, such as a task that was solved
	KindScore      = "score"      // 0 to 1; lower is worse, such as a grader's mark
	KindAmount     = "amount"     // 0 or more; higher is worse, such as tokens
	KindPreference = "preference" // of a mirrored request: 1 where the new release's answer is better, 0 where it is worse, 0.5 for neither
)

// SignalSpec declares a signal that the app reports at once, by the response header
// or trailer Fairlead-Signal, or that a grader or a user reports later, by
// POST /v1/signals. A unit (session, run, key) counts once a rollout.
type SignalSpec struct {
	Name    string `json:"name"`              // such as task-success
	Kind    string `json:"kind,omitempty"`    // failure, success, score, amount or preference (default: that of a standard name, else failure)
	Protect *bool  `json:"protect,omitempty"` // each step must prove that it is not harmed (default: true for failure, success and score)
	Margin  Margin `json:"margin,omitempty"`  // harm that must be excluded (default: what the strategy names, else ratio 1.25)
}

// ErrorSignal is the reported signal that makes a request a failure of class
// [Declared]. It needs no declaration.
const ErrorSignal = "error"

// Guard is a threshold on a number that Fairlead does not measure itself. It has no
// stated error: it holds or rolls back on what one number says.
type Guard struct {
	Name       string   `json:"name"`
	Prometheus string   `json:"prometheus,omitempty"` // base URL of a Prometheus-compatible server that answers query
	Query      string   `json:"query,omitempty"`      // PromQL; {{app}}, {{environment}} and {{release}} are filled in
	Metric     string   `json:"metric,omitempty"`     // instead: a metric that the new release's instances serve, such as queue_depth{kind="gpu"}
	Path       string   `json:"path,omitempty"`       // where they serve it (default /metrics)
	Min        *float64 `json:"min,omitempty"`        // least value that is good
	Max        *float64 `json:"max,omitempty"`        // greatest value that is good
	Interval   Duration `json:"interval,omitempty"`   // time between looks (default 15s)
	Failures   int      `json:"failures,omitempty"`   // consecutive bad looks that count (default 3)
	OnBreach   string   `json:"onBreach,omitempty"`   // hold or rollback (default hold)
}

// Mirror sends copies of requests that the old release answers to the new one, whose
// answers go nowhere, and compares both answers. The instance sees the header
// Fairlead-Mirrored: true, and must not repeat side effects.
type Mirror struct {
	Share   Percent  `json:"share,omitempty"`   // of the old release's requests (default 10)
	Methods []string `json:"methods,omitempty"` // which requests (default GET and HEAD)
}
