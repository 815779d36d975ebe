// Command testshim is the program that the tests of package local start as their
// shims, and as the attacker. It is built without cgo, unlike a race-built test
// binary.
package main

import (
	"os"

	"github.com/fairlead/fairlead/workload/local"
	"github.com/fairlead/fairlead/workload/local/doctor/attack"
	"github.com/fairlead/fairlead/workload/shim"
)

func main() {
	if os.Args[1] == attack.Name {
		os.Exit(attack.Main(os.Args[2:]))
	}
	if os.Args[1] == shim.Name {
		os.Exit(shim.Main(os.Args[2:], shim.Kinds{Sandbox: local.Sandbox{}}))
	}
	os.Exit(local.Main(os.Args[1], os.Args[2:]))
}
