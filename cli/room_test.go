package cli

import (
	"bytes"
	"testing"

	"github.com/fairlead/fairlead/api/client"
)

func TestRoomWritesSizesAsVolumesDoAndSaysWhatElseFillsTheDisk(t *testing.T) {
	var out bytes.Buffer
	const gib = 1 << 30
	err := writeRoom(&out, client.Room{
		MilliCPU: 2000, CPU: client.Account{Has: 8000, Taken: 500, Free: 7500},
		Memory:  client.Account{Has: 8 * gib, Reserve: gib + gib/2, Taken: 9 * gib, Free: -5 * gib / 2},
		Storage: client.Account{Has: 100 * gib, Taken: 10 * gib, Free: 30 * gib},
	})
	const want = `             HAS       RESERVE   TAKEN    FREE
cpu limits   8                   0.5      7.5
memory       8 GiB     1.5 GiB   9 GiB    -2.5 GiB
storage      100 GiB             10 GiB   30 GiB
the machine has 2 cores; all CPU limits together may be 4 times that
storage: taken is what volumes may still fill; other files, and what the file system keeps back, are 60 GiB

nothing runs
`
	if err != nil || out.String() != want {
		t.Errorf("%v\n%s", err, out.String())
	}
}
