package container

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// inside refuses a working directory that is not in the container: an image can name one
// by which old versions of runc let a descriptor of this machine be entered, see
// CVE-2024-21626.
func inside() error {
	at := make([]byte, unix.PathMax)
	n, err := unix.Getcwd(at)
	if err == nil && (n == 0 || at[0] != '/') { // the kernel writes "(unreachable)" before it
		err = errors.New("the working directory of the image is not in it")
	}
	return err
}

// closeSelf takes this process from those that run as the same user: none of them reads
// or writes its memory, and so none makes it say another end of the app than it had. The
// shim has read what it needs of it.
func closeSelf() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }

// exitOther is told for an app's own status that is exitMemory: the lowest that is no
// signal's.
const exitOther = 193

// asTold is the exit status of an app as this process hands it on: an app's own is never
// that of one that was killed for memory.
func asTold(code int) int {
	if code != exitMemory {
		return code
	}
	fmt.Fprintf(os.Stderr, "it ended with status %d, which is told as %d: here it would say that it was out of memory\n", exitMemory, exitOther)
	return exitOther
}
