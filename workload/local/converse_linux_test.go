package local

import (
	"io"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead/workload/shim"
)

func TestAnAppThatRanHasStartedAlsoWhereTheEndOfItsPlanIsUnread(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	defer ours.Close()
	go func() { // ends with the stream that it closes
		defer theirs.Close()
		io.ReadFull(theirs, make([]byte, 1)) // all the rest stays unread
		io.WriteString(theirs, `{"kind":"started","protections":[{"name":"seccomp"}]}`)
	}()
	if e := new(initProcess).converse(ours); e.Kind != shim.Started {
		t.Errorf("it is %+v", e)
	}
}
