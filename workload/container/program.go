package container

import (
	"debug/elf"
	"fmt"
	"os"

	"github.com/fairlead/fairlead"
)

// InitName is the name by which this program is started as the first process in a
// container, see [Init].
const InitName = "container-init"

// InsideInit is where every container has this program, read-only.
const InsideInit = "/.fairlead/init"

// RunsInContainers reports whether program, which is the first process of each
// container, can run where there are no libraries: it must be linked statically.
func RunsInContainers(program string) error {
	file, err := elf.Open(program)
	if err != nil {
		return fmt.Errorf("read %s: %w", program, err)
	}
	defer file.Close()
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			if at, err := os.Readlink(program); err == nil { // such as /proc/self/exe
				program = at
			}
			return fairlead.Errorf(fairlead.Unsupported, "", "%s was linked with libraries of this machine, which a container has not", program).
				WithHint("build it with CGO_ENABLED=0, as `make build` does")
		}
	}
	return nil
}
