package local

import (
	"fmt"
	"os"
)

// Main runs the process called name (InitName or ExecName) with its
// arguments and returns its exit status. The program's main calls it before
// anything else when its first argument is one of these names.
func Main(name string, args []string) int {
	var err error
	switch name {
	case InitName:
		err = initMain()
	case ExecName:
		err = execMain()
	default:
		err = fmt.Errorf("%q is no process of package local", name)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		return 1
	}
	return 0
}
