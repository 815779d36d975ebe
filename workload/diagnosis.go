package workload

// Outcome is what came of an attack.
type Outcome string

// The outcomes.
const (
	Stopped   Outcome = "stopped"
	Succeeded Outcome = "succeeded"
	Untried   Outcome = "untried" // it could not be tried here, or says nothing
)

// Attempt is one attack on a sandbox from inside, and what came of it.
type Attempt struct {
	Attack   string   `json:"attack"`       // what was tried, such as "signal a process outside"
	Against  []string `json:"against"`      // names of the protections that stop it; the first is the one it is about
	In       []string `json:"in,omitempty"` // kinds of sandbox where this came of it
	Outcome  Outcome  `json:"outcome"`
	Happened string   `json:"happened"` // such as "no such process"
}

// Check is one protection: what starts said of it and what attacks made of it.
type Check struct {
	Protection
	Required bool      `json:"required"`       // an environment with sandbox: required does not start without it
	Hint     string    `json:"hint,omitempty"` // what to do where it is not enforced
	Attempts []Attempt `json:"attempts"`       // those that are about it
}

// Diagnosis is what a machine was found to protect instances with.
type Diagnosis struct {
	Holds     bool     `json:"holds"`     // every required protection is enforced and no attack got past one that is
	Sandboxes []string `json:"sandboxes"` // the kinds that were attacked
	Checks    []Check  `json:"checks"`
}
