// Command testshim is the program that the tests of package container start as their
// shims, and that is the first process of their containers.
package main

import (
	"os"

	"github.com/fairlead/fairlead/workload/container"
	"github.com/fairlead/fairlead/workload/shim"
)

func main() {
	switch os.Args[1] {
	case container.InitName:
		os.Exit(container.Init(os.Args[2:]))
	case container.RelayName:
		os.Exit(container.Relay(os.Args[2:]))
	}
	os.Exit(shim.Main(os.Args[2:], shim.Kinds{Container: container.Containers{}}))
}
