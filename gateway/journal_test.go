package gateway

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/disk/crashdisk"
)

// TestNoEventIsLostWhenTheJournalIsShortened fails each operation of a shortening in
// turn, ends the power or the process there, and reads the journal again.
func TestNoEventIsLostWhenTheJournalIsShortened(t *testing.T) {
	const events = 5
	for stop := range 12 {
		for seed := range uint64(50) {
			d, chance := crashdisk.New(), rand.New(rand.NewPCG(seed, 0))
			j, err := openJournal(d, "/journal")
			if err != nil {
				t.Fatal(err)
			}
			for i := range events {
				if err := j.add(Event{Time: time.Unix(0, 0), Kind: eventEjected, Site: spoolSite, Text: fmt.Sprint(i)}); err != nil {
					t.Fatal(err)
				}
			}
			left := stop
			d.Fail(func(crashdisk.Op, string) error {
				if left--; left < 0 {
					return syscall.EIO
				}
				return nil
			})
			j.mu.Lock()
			_ = j.shorten() // whether it succeeds or not
			j.mu.Unlock()
			written := events
			if j.add(Event{Time: time.Unix(0, 0), Kind: eventEjected, Site: spoolSite, Text: "5"}) == nil {
				written++
			}
			d.Fail(nil)
			if seed%2 == 0 {
				d.Crash(chance)
			} else {
				d.Kill()
			}
			again, err := openJournal(d, "/journal")
			if err != nil {
				t.Fatal(err)
			}
			got := again.after(0)
			if len(got) < written {
				t.Fatalf("stopped at operation %d, seed %d: %d events of %d", stop, seed, len(got), written)
			}
			for i, e := range got {
				if e.N != uint64(i+1) || e.Text != fmt.Sprint(i) {
					t.Fatalf("stopped at operation %d, seed %d: event %d is %+v", stop, seed, i+1, e)
				}
			}
		}
	}
}
