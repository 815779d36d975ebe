package cli

import (
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/cli/progress"
)

// waiting shows how far a deploy is while its image is fetched or built: on a
// terminal in one line that changes, else in a line now and then.
type waiting struct {
	inv      *invocation
	terminal *progress.Terminal // nil where there is none, or JSON is wanted
	doing    string             // of the newest line in a pipe
	wrote    time.Time
	percent  float64
}

func (inv *invocation) waiting() *waiting {
	w := &waiting{inv: inv}
	if !inv.json() {
		w.terminal = progress.OpenTerminal(inv.screen, inv.std.Getenv, !inv.flags.noColor)
	}
	return w
}

// In a pipe a line is written when something else is done, and then not more often
// than this, but for a quarter more of it.
const pipeEvery = 15 * time.Second

func (w *waiting) tell(p fairlead.Progress) {
	switch {
	case p.Note != "":
		w.above(p.Note)
	case w.terminal != nil:
		_ = w.terminal.Draw([]string{progress.Waiting(p, w.terminal.Style().Width)}) // who lost the terminal sees nothing
	case p.Doing != w.doing || time.Since(w.wrote) >= pipeEvery || p.Percent >= w.percent+25:
		w.doing, w.wrote, w.percent = p.Doing, time.Now(), p.Percent
		w.inv.note("%s", progress.Waiting(p, 0))
	}
}

// above writes a line that stays.
func (w *waiting) above(text string) {
	if w.terminal == nil {
		w.inv.note("%s", progress.Clean(text))
		return
	}
	_ = w.terminal.Above(progress.Wrap(progress.Clean(text), w.terminal.Style().Width))
}

// end leaves nothing of the line that changes.
func (w *waiting) end() {
	if w.terminal != nil {
		_ = w.terminal.Above(nil)
		_ = w.terminal.Close()
	}
}
