package console

import (
	"fmt"
	"slices"

	"github.com/fairlead/fairlead/api/client"
)

// next is something that a reader of the record may want to do.
type next struct {
	Text, Path string
	Code       string // a command
	Act        string // the action that Path confirms
}

// Next says what to do after the end; nothing before.
func (p rolloutPage) Next() []next {
	if !p.Over() || p.From == p.To {
		return nil
	}
	var all []next
	if p.From > 0 {
		all = append(all, next{Text: fmt.Sprintf("See what %s has that %s has not", p.Name(), p.Old()), Path: releasePath(p.App, p.To)})
	}
	switch p.Outcome {
	case client.RolledBack, client.Failed, client.Aborted:
		if p.ran() {
			all = append(all, next{Text: "Read what its instances wrote:", Code: fmt.Sprintf("fairlead logs %s --env %s", p.App, p.Env)})
		}
		all = append(all, next{Text: "Mend it, and deploy again: the next release is judged afresh"})
		if p.May && p.BackTo > 0 {
			all = append(all, next{Text: fmt.Sprintf("Go back further, from %s to %s", p.Old(), releaseName(p.App, p.BackTo)), Path: rolloutPath(p.ID) + "/rollback", Act: "rollback"})
		}
	}
	return append(all, next{Text: "Prove that this record was not changed", Path: ledgerPath})
}

// ran reports whether instances of the new release were started.
func (p rolloutPage) ran() bool {
	proven := !slices.ContainsFunc(p.Gates, func(g client.Gate) bool { return g.State != "passed" })
	return !p.FirstTraffic.IsZero() || p.Outcome == client.Failed && proven
}
