// Package doctor finds out what a machine really protects instances with: it
// starts an instance and two jobs exactly as a control plane would, lets the
// program of package attack try to get out of each, and says what came of it. It
// needs no control plane, makes no connection that leaves the machine, and leaves
// nothing behind.
package doctor

import (
	"slices"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/local"
)

// trial is what came of one sandbox.
type trial struct {
	sandbox     string
	protections []workload.Protection
	attempts    []workload.Attempt
}

// judge makes a diagnosis of all trials. A protection is enforced when every start
// said so and no attempt that it should have stopped succeeded where it was.
func judge(trials []trial) workload.Diagnosis {
	d := workload.Diagnosis{Holds: true, Checks: []workload.Check{}}
	for _, t := range trials {
		d.Sandboxes = append(d.Sandboxes, t.sandbox)
		for _, p := range t.protections {
			d.Checks = add(d.Checks, p, t.sandbox)
		}
	}
	attempts := merged(trials)
	for i := range d.Checks {
		c := &d.Checks[i]
		for _, a := range attempts {
			if a.Against[0] == c.Name {
				c.Attempts = append(c.Attempts, a)
			}
		}
		if got := past(trials, c.Name); got != "" {
			c.Enforced, c.Detail, d.Holds = false, got, false
		}
		d.Holds = d.Holds && (c.Enforced || !c.Required)
	}
	return d
}

// add adds what a start said of a protection to the checks. That it is missing in
// one sandbox counts for all.
func add(checks []workload.Check, p workload.Protection, sandbox string) []workload.Check {
	i := slices.IndexFunc(checks, func(c workload.Check) bool { return c.Name == p.Name })
	if i < 0 {
		required := local.Required(p.Name, fairlead.Resources{})
		return append(checks, workload.Check{Protection: p, Required: required, Attempts: []workload.Attempt{}})
	}
	if checks[i].Enforced && !p.Enforced {
		checks[i].Enforced, checks[i].Detail = false, "not in a "+sandbox+": "+p.Detail
	}
	return checks
}

// past says which attack got past the protection called name where a start said
// that it was enforced, "" for none.
func past(trials []trial, name string) string {
	for _, t := range trials {
		enforced := slices.ContainsFunc(t.protections, func(p workload.Protection) bool { return p.Name == name && p.Enforced })
		for _, a := range t.attempts {
			if enforced && a.Outcome == workload.Succeeded && slices.Contains(a.Against, name) {
				return a.Attack + ", in a " + t.sandbox + ": " + a.Happened
			}
		}
	}
	return ""
}

// merged returns the attempts of all trials in their order, those with the same end
// as one.
func merged(trials []trial) []workload.Attempt {
	var all []workload.Attempt
	for _, t := range trials {
		for _, a := range t.attempts {
			i := slices.IndexFunc(all, func(b workload.Attempt) bool {
				return a.Attack == b.Attack && a.Outcome == b.Outcome && a.Happened == b.Happened
			})
			if i >= 0 {
				all[i].In = append(all[i].In, t.sandbox)
				continue
			}
			a.In = []string{t.sandbox}
			all = append(all, a)
		}
	}
	return all
}
