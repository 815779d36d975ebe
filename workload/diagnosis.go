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

// EngineDiagnosis is what was found of the machine's container engine, and what a
// container of it was really held by.
type EngineDiagnosis struct {
	Found    bool    `json:"found"`             // an engine answers
	Holds    bool    `json:"holds"`             // every required protection is enforced; true where none answers
	Host     string  `json:"host,omitempty"`    // such as "unix:///run/docker.sock"
	Name     string  `json:"name,omitempty"`    // such as "Docker 20.10.24"
	API      string  `json:"api,omitempty"`     // version that is spoken
	Storage  string  `json:"storage,omitempty"` // driver, such as "overlay2"
	Root     string  `json:"root,omitempty"`    // directory of this machine where it keeps images
	Cgroups  string  `json:"cgroups,omitempty"` // such as "version 1, cgroupfs"
	Rootless bool    `json:"rootless"`
	Seccomp  string  `json:"seccomp,omitempty"` // profile of containers that name none, such as "default"
	Checks   []Check `json:"checks"`            // of a container that was started
	Why      string  `json:"why,omitempty"`     // no engine answers, or no container could be started
	Hint     string  `json:"hint,omitempty"`
}
