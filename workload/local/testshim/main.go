// Command testshim is the program that the tests of package local start as their
// shims. It is built without cgo, unlike a race-built test binary.
package main

import (
	"os"

	"github.com/fairlead/fairlead/workload/local"
)

func main() { os.Exit(local.Main(os.Args[1], os.Args[2:])) }
