package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout/judge"
	"github.com/fairlead/fairlead/workload"
)

// Fall is how often one instance ended by itself in a rollout, and why the last time.
// The judge counts the ends of both releases against each other; why they ended is
// recorded beside that, for people and for the guard of memory.
type Fall struct {
	Instance string `json:"instance"`
	Times    int    `json:"times"`
	OOMKills int    `json:"oomKills,omitempty"` // of them, killed for memory
	Last     string `json:"last,omitempty"`     // such as "exit status 1"
}

// The bounds of what is recorded of ends.
const (
	mostFalls  = 32  // instances of one release
	mostReason = 200 // bytes of one reason
)

// falls are what instances of one release did, by instance.
type falls map[string]Fall

func fallsOf(recorded []Fall) falls {
	all := falls{}
	for _, f := range recorded {
		all[f.Instance] = f
	}
	return all
}

// add counts ends of an instance, of which so many were kills for memory.
func (all falls) add(s workload.Status, times, oom int) {
	if times <= 0 && oom <= 0 {
		return
	}
	f := all[s.ID]
	f.Instance, f.Times, f.OOMKills = s.ID, f.Times+max(0, times), f.OOMKills+max(0, oom)
	f.Last = strings.ToValidUTF8(s.LastExit[:min(len(s.LastExit), mostReason)], "")
	all[s.ID] = f
}

// recorded returns those that ended most often first.
func (all falls) recorded() []Fall {
	var list []Fall
	for _, f := range all {
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b Fall) int {
		return cmp.Or(cmp.Compare(b.Times, a.Times), strings.Compare(a.Instance, b.Instance))
	})
	return list[:min(len(list), mostFalls)]
}

// shownFalls is how many instances are named in a sentence.
const shownFalls = 3

// text says how instances of a release ended, such as "instance a was killed for memory
// twice (limit 256Mi)"; empty where none did.
func (g Group) text() string {
	var all []string
	for i, f := range g.Falls {
		if i == shownFalls {
			all = append(all, fmt.Sprintf("and %d more", len(g.Falls)-shownFalls))
			break
		}
		all = append(all, f.text(g.Limit))
	}
	return strings.Join(all, ", ")
}

func (f Fall) text(limit string) string {
	if f.OOMKills > 0 && f.OOMKills >= f.Times {
		text := fmt.Sprintf("instance %s was killed for memory %s", f.Instance, often(f.OOMKills))
		if limit != "" {
			text += " (limit " + limit + ")"
		}
		return text
	}
	text := fmt.Sprintf("instance %s ended by itself %s", f.Instance, often(f.Times))
	if f.Last != "" {
		text += " (last: " + f.Last + ")"
	}
	if f.OOMKills > 0 {
		text += fmt.Sprintf(", %s of that for memory", often(f.OOMKills))
	}
	return text
}

func often(n int) string {
	if n == 2 {
		return "twice"
	}
	return times(n)
}

// MemoryGuard is the name of the guard that looks at kills for memory. A user's guard
// has no space in its name.
const MemoryGuard = "memory kills"

// leastKills is how many kills for memory hold a rollout: one may be chance.
const leastKills = 2

// starved holds a rollout whose new release is killed for memory again and again, and
// far more often than the old one: three times as often, the rule for a shared incident.
// It is a plain threshold without a stated error, beside the judge, which counts each
// kill as an end. Records from before kills were counted have none. It reports whether
// it decided.
func (d *decision) starved() bool {
	kills := d.in.New.OOMKills
	if !d.r.guarded() || d.r.Held != "" || d.r.waived(MemoryGuard) || kills < leastKills || kills <= 3*d.in.Old.OOMKills {
		return false
	}
	d.r.Held = HeldGuard + MemoryGuard
	if d.r.Phase == Watching {
		d.say("rollout.alerted", "guard %s (no guarantee): of %s %s; that rolls nothing back", MemoryGuard, d.name(), d.in.New.text())
		return true
	}
	d.say("rollout.held", "guard %s (no guarantee): of %s %s; held at %s until a person decides", MemoryGuard, d.name(), d.in.New.text(), d.r.Weight)
	return true
}

// because is how the new release's instances ended, where that decided.
func (d *decision) because(v fairlead.Verdict) string {
	text := d.in.New.text()
	if v.Signal != judge.RestartsName || text == "" {
		return ""
	}
	return ": " + text
}
