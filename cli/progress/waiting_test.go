package progress_test

import (
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/cli/progress"
)

func TestWaitingSaysHowFarItIsInOneLine(t *testing.T) {
	p := fairlead.Progress{Doing: "pulling triage:3", Percent: 43.4, Done: 120 << 20, Total: 280 << 20, Detail: "3 of 7 layers"}
	for width, want := range map[int]string{
		0:  "pulling triage:3: 43 %, 120 MiB of 280 MiB, 3 of 7 layers",
		30: "pulling triage:3: 43 %, 12...",
	} {
		if got := progress.Waiting(p, width); got != want {
			t.Errorf("%d columns: %q, want %q", width, got, want)
		}
	}
	begun := fairlead.Progress{Doing: "keeping the image", Percent: 0.03, Done: 1536, Total: 5 << 20}
	if got := progress.Waiting(begun, 0); got != "keeping the image: 1.5 KiB of 5 MiB" {
		t.Errorf("%q", got)
	}
	if got := progress.Waiting(fairlead.Progress{Doing: "building\x1b[2J"}, 0); got != progress.Clean("building\x1b[2J") {
		t.Errorf("%q", got)
	}
}
