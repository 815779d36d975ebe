package console

import (
	"slices"
	"strings"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/workload"
)

// instance is one that runs now of either release.
type instance struct {
	workload.Status
	New      bool
	Enforced []string // protections that its start had
	Missing  []string // those that it had not
}

// Having names the protections that it has, Without those that it has not.
func (i instance) Having() string  { return strings.Join(i.Enforced, ", ") }
func (i instance) Without() string { return strings.Join(i.Missing, ", ") }

// instancesOf are the instances of both releases that still are there: the new one's first.
func instancesOf(r client.Rollout, site client.Site) []instance {
	var all []instance
	running := of(site.Instances, r.To)
	if r.From != r.To {
		running = append(running, of(site.Instances, r.From)...)
	}
	for _, in := range running {
		one := instance{Status: in, New: in.Release == r.To}
		for _, p := range in.Protections {
			if p.Enforced {
				one.Enforced = append(one.Enforced, named(p))
			} else {
				one.Missing = append(one.Missing, p.Name)
			}
		}
		all = append(all, one)
	}
	return all
}

// of returns the instances of a release.
func of(instances []workload.Status, release int) []workload.Status {
	return slices.DeleteFunc(slices.Clone(instances), func(in workload.Status) bool { return in.Release != release })
}

// mostInstances is how many instances a page lists.
const mostInstances = 6

// Running are the instances that are listed.
func (p rolloutPage) Running() []instance { return p.Instances[:min(mostInstances, len(p.Instances))] }

// MoreInstances is how many are not.
func (p rolloutPage) MoreInstances() int { return len(p.Instances) - len(p.Running()) }

// sandbox is what so many instances enforce.
type sandbox struct {
	Having string
	Count  int
}

// Sandboxes are the sandboxes of all instances, each kind once.
func (p rolloutPage) Sandboxes() []sandbox {
	var all []sandbox
	for _, in := range p.Instances {
		if len(in.Protections) == 0 {
			continue
		}
		at := slices.IndexFunc(all, func(s sandbox) bool { return s.Having == in.Having() })
		if at < 0 {
			at, all = len(all), append(all, sandbox{Having: in.Having()})
		}
		all[at].Count++
	}
	return all
}

// named is a protection with what is known of it.
func named(p workload.Protection) string {
	if p.Detail == "" {
		return p.Name
	}
	return p.Name + " (" + p.Shown() + ")"
}

// Tone is the tone of an instance's state.
func (i instance) Tone() string {
	switch i.State {
	case workload.Ready:
		return "safe"
	case workload.Starting:
		return "move"
	case workload.CrashLoop, workload.Refused:
		return "harm"
	case workload.Unready, workload.Backoff:
		return "held"
	}
	return "quiet"
}

// Words is the state as people say it.
func (i instance) Words() string {
	switch i.State {
	case workload.Unready:
		return "not ready"
	case workload.Backoff:
		return "waits to start again"
	case workload.CrashLoop:
		return "does not stay up"
	}
	return string(i.State)
}

// Arm is which release's mark it has.
func (i instance) Arm() string {
	if i.New {
		return "new"
	}
	return "old"
}
