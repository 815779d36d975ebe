// Package attack is the hostile program that `fairlead doctor` runs inside its own
// sandbox. It tries to get out in every way it knows and prints what came of each.
//
// Every attack is harmless even where nothing stops it: it opens, connects to or
// signals (with signal 0) what the doctor planted for it, writes nothing but its
// own scratch files, takes a bounded amount of anything, and ends by itself.
// It does nothing at all without the order of a doctor that runs, and those
// attacks that make something (Attack.Changes) only where its mount and pid
// namespaces are not the machine's.
package attack

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/fairlead/fairlead/workload"
)

// Name is the process name of the program, as package local has them.
const Name = "sandbox-attack"

// OrderFile is the name of the file beside the program that holds the order.
const OrderFile = "order.json"

// The kinds of sandbox that differ for the app.
const (
	Instance = "instance"
	Gate     = "gate"  // a job that reads its directory
	Build    = "build" // a job that writes it
)

// Order is what the doctor planted, as the program in the sandbox is told.
type Order struct {
	Nonce     string     `json:"nonce"`          // also in the program's arguments
	Until     time.Time  `json:"until"`          // void from then on
	Sandbox   string     `json:"sandbox"`        // kind
	Only      []string   `json:"only,omitempty"` // names of the attacks to try; none means all
	Machine   Namespaces `json:"machine"`        // those of the doctor
	Variables []string   `json:"variables"`      // names of those that are to be there
	Secret    string     `json:"secret"`         // name of its own secret, "" for none

	State     string `json:"state"`     // directory like that of a control plane, open to all
	Home      string `json:"home"`      // file in the home directory of the doctor's user, "" for none
	Neighbour string `json:"neighbour"` // artifact of another instance, open to all
	Run       string `json:"run"`       // directory of the runtime
	Shim      string `json:"shim"`      // control socket of another instance's shim

	Decoy    int     `json:"decoy"`    // process outside, of the sandbox's user
	Address  uintptr `json:"address"`  // of Canary in the decoy's memory
	TCP      string  `json:"tcp"`      // host:port of listeners on the machine's loopback
	TCP6     string  `json:"tcp6"`     // "" for none
	UDP      string  `json:"udp"`      // answers each packet
	Abstract string  `json:"abstract"` // address of an abstract socket, "@..."
	Memory   int     `json:"memory"`   // id of a segment of System V shared memory
	Host     string  `json:"host"`     // the machine's name

	MemoryLimit   int `json:"memoryLimit"` // bytes
	MilliCPU      int `json:"milliCPU"`    // thousandths of a core
	MostProcesses int `json:"mostProcesses"`
	MostFiles     int `json:"mostFiles"`
	TempSize      int `json:"tempSize"` // bytes
}

// Namespaces are the names of a process's namespaces, such as "mnt:[4026531841]".
type Namespaces struct {
	Mount string `json:"mount"`
	Pid   string `json:"pid"`
}

// Canary is the text in everything planted that must not be read.
const Canary = "planted by fairlead doctor"

// SecretPrefix begins the secret of the other instance.
const SecretPrefix = "secret-"

// Names of planted things in Order.State, and in each artifact.
const (
	StateFile     = "plain-file"   // readable and writable by all
	TokenFile     = "admin.token"  // of the doctor's user alone
	APISocket     = "control.sock" // open to all
	GatewaySocket = "gateway.sock" // open to all
	OwnFile       = "own-file"     // in the artifact, writable by all
	LinkFile      = "link"         // in the artifact: leads to the file in Order.State
	SetGroupFile  = "set-group-id" // in the artifact: this program with the bit set, where root planted it
)

// Attempts reads what the program printed, itself or in an instance's log, and
// whether that is all of it. Other lines are skipped.
func Attempts(output []byte) (all []workload.Attempt, complete bool) {
	for line := range bytes.Lines(output) {
		var said struct {
			workload.Attempt
			Done bool `json:"done"`
		}
		begin := bytes.IndexByte(line, '{')
		if begin < 0 || json.Unmarshal(line[begin:], &said) != nil {
			continue
		}
		complete = complete || said.Done
		if said.Attack != "" {
			all = append(all, said.Attempt)
		}
	}
	return all, complete
}
