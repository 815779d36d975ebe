package attack

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/fairlead/fairlead/workload"
)

// The modes of the program: the first argument. The second is the nonce.
const (
	modeRun    = "run"    // attacks, and then waits for SIGTERM in an instance
	modeDecoy  = "decoy"  // prints its pid and the address of its canary; ends with its standard input
	modeWait   = "wait"   // ends with SIGTERM, or after waitTime
	modeHold   = "hold"   // ends with its standard input
	modeIDs    = "ids"    // prints its real and effective group
	modeAbort  = "abort"  // dies of SIGABRT
	modeEat    = "eat"    // takes as many bytes of memory as the third argument says
	modeBurn   = "burn"   // takes what processor time it gets, for a while
	modeTrace  = "trace"  // seizes the process of the third argument, and lets go by ending
	modeMount  = "mount"  // mounts something in a mount namespace that only it is in
	modeDaemon = "daemon" // leaves a modeLinger behind, as a daemon does
	modeLinger = "linger" // prints a line and stays for at most lingerTime
)

// waitTime is how long another instance stays, if nobody stops it.
const waitTime = 2 * time.Minute

// lingerTime is how long a process that is to outlive the sandbox stays.
const lingerTime = 20 * time.Second

// RunArguments are the arguments of the program that attack, without its path.
func RunArguments(nonce string) []string { return []string{Name, modeRun, nonce} }

// WaitArguments are those of one that does nothing.
func WaitArguments(nonce string) []string { return []string{Name, modeWait, nonce} }

// LingerArguments are those of one that is to outlive its sandbox, for a while.
func LingerArguments(nonce string) []string { return []string{Name, modeLinger, nonce} }

// DecoyArguments are those of a process to plant outside.
func DecoyArguments(nonce string) []string { return []string{Name, modeDecoy, nonce} }

// Main is the program. It returns an exit status: 3 when there is no order.
func Main(args []string) int {
	if len(args) < 2 {
		fmt.Fprintln(os.Stderr, "only fairlead doctor runs this")
		return 3
	}
	order, err := readOrder(args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "not attacking:", err)
		return 3
	}
	mode, rest := args[0], append(slices.Clone(args[2:]), "")
	switch mode {
	case modeRun:
		own, err := Own()
		run(&scene{order, err == nil && own.Mount == order.Machine.Mount}, json.NewEncoder(os.Stdout))
		return 0
	case modeWait:
		awaitSignal(waitTime)
		return 0
	case modeDecoy:
		fmt.Println(os.Getpid(), canaryAddress())
		awaitEOF()
		return 0
	case modeHold:
		awaitEOF()
		return 0
	default:
		if err := deed(mode, rest[0], order); err != nil {
			fmt.Println(err)
			return 1
		}
		return 0
	}
}

// deed does what an attack needs a process of its own for.
func deed(mode, argument string, order Order) error {
	number, _ := strconv.Atoi(argument)
	switch mode {
	case modeIDs:
		_, err := fmt.Println(os.Getgid(), os.Getegid())
		return err
	case modeAbort:
		return abort()
	case modeEat:
		return eat(min(number, order.MemoryLimit+mostExtra))
	case modeBurn:
		return burn()
	case modeTrace:
		return seize(number)
	case modeMount:
		return mountAlone(argument, order.Machine)
	case modeDaemon:
		return leaveDaemon(order.Nonce)
	case modeLinger:
		fmt.Println("lingering")
		time.Sleep(lingerTime)
		return nil
	}
	return fmt.Errorf("%q is no mode", mode)
}

// awaitEOF returns when whoever holds the other end of standard input ends.
func awaitEOF() {
	var b [1]byte
	for {
		if n, err := os.Stdin.Read(b[:]); n == 0 || err != nil {
			return
		}
	}
}

// Attack is one way out that is tried.
type Attack struct {
	Name    string
	Against []string // see workload.Attempt
	User    bool     // a user of its own stops it too
	Modes   bool     // so may the modes of the machine's files
	Changes bool     // makes something, if only for a moment
	In      []string // kinds of sandbox; nil means all
	Plain   []string // Against where there are no namespaces, if it differs
	try     func(*scene) result
}

// against returns the protections that stop a here.
func (a Attack) against(s *scene) []string {
	if s.plain && a.Plain != nil {
		return a.Plain
	}
	return a.Against
}

// run tries everything, in the order of the list, and prints a line for each.
func run(s *scene, out *json.Encoder) {
	changing := outside(s.Machine)
	for _, a := range All() {
		if a.In != nil && !slices.Contains(a.In, s.Sandbox) || s.Only != nil && !slices.Contains(s.Only, a.Name) {
			continue
		}
		r := untried(changing)
		if !a.Changes || changing == "" {
			r = a.try(s)
		}
		if err := out.Encode(workload.Attempt{Attack: a.Name, Against: a.against(s), In: []string{s.Sandbox}, Outcome: r.outcome, Happened: r.text}); err != nil {
			return
		}
	}
	if out.Encode(map[string]bool{"done": true}) == nil && s.Sandbox == Instance {
		awaitSignal(lingerTime) // an instance that ends by itself would be started again
	}
}

// awaitSignal returns on SIGTERM, or after most.
func awaitSignal(most time.Duration) {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	select {
	case <-stop:
	case <-time.After(most):
	}
}

// scene is where attacks are made.
type scene struct {
	Order
	plain bool // without a mount namespace
}

// child returns the arguments of this program in another mode.
func (s *scene) child(mode string, rest ...string) []string {
	return append([]string{Name, mode, s.Nonce}, rest...)
}

// result is what came of an attack, for people.
type result struct {
	outcome workload.Outcome
	text    string
}

func stopped(text string) result   { return result{workload.Stopped, text} }
func succeeded(text string) result { return result{workload.Succeeded, text} }
func untried(text string) result   { return result{workload.Untried, text} }

// All returns every attack, the harmless ones first and those on limits last.
func All() []Attack {
	return slices.Concat(fileAttacks(), processAttacks(), networkAttacks(), rightAttacks(), callAttacks(), limitAttacks())
}
