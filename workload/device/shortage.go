package device

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/figures"
)

// Shortage is why an ask for devices cannot be met, with its arithmetic. Its words
// stand after what was tried: "start triage@4: " and so on.
type Shortage struct {
	Ask       fairlead.GPU
	Instances int    // that ask
	Fit       int    // how many of them could be met
	Asked     string // what is asked for, in words
	Have      string // what this machine has
	Taken     string // what is taken of it, and by whom; "" for nothing
	Failed    string // what cannot be given to anybody, and why; "" for nothing
}

// Error tells the arithmetic in one line.
func (s *Shortage) Error() string {
	text := s.Asked + "; " + s.Have
	if s.Taken != "" {
		text += "; taken: " + s.Taken
	}
	if s.Failed != "" {
		text += "; not usable: " + s.Failed
	}
	if s.Fit > 0 {
		text += fmt.Sprintf("; there is room for %d of the %d", s.Fit, s.Instances)
	}
	return text
}

// shortage puts in words why only fit of n instances get what they ask for.
func shortage(v Inventory, held []Holding, ask fairlead.GPU, n, fit int) *Shortage {
	s := &Shortage{Ask: ask, Instances: n, Fit: fit, Asked: askText(ask, n)}
	all := spaces(v, held, ask.Vendor)
	var takenParts, failed []string
	free := 0
	for _, one := range all {
		if one.parts == 0 {
			free++
		} else {
			takenParts = append(takenParts, one.text(held))
		}
	}
	for _, d := range v.Devices {
		if d.Missing != "" && (ask.Vendor == "" || d.Vendor == ask.Vendor) {
			failed = append(failed, fmt.Sprintf("%s %s (%s)", d.Name, d.ID, d.Missing))
		}
	}
	s.Have = haveText(all, ask.Vendor, free)
	s.Taken, s.Failed = strings.Join(takenParts, ", "), strings.Join(failed, ", ")
	return s
}

// haveText says what a machine has that may be given out.
func haveText(all []space, vendor string, free int) string {
	kind := "GPU"
	if vendor != "" {
		kind = vendorName(vendor) + " GPU"
	}
	if len(all) == 0 {
		return "this machine has no " + kind + " to give"
	}
	counts := map[string]int{}
	var names []string
	for _, s := range all {
		name := s.device.Name
		if s.device.Memory > 0 {
			name += " with " + figures.Bytes(s.device.Memory)
		}
		if counts[name]++; counts[name] == 1 {
			names = append(names, name)
		}
	}
	for i, name := range names {
		names[i] = fmt.Sprintf("%d x %s", counts[name], name)
	}
	return fmt.Sprintf("this machine has %s (%s), of which %d %s wholly free", figures.Plural(uint64(len(all)), kind, kind+"s"),
		strings.Join(names, ", "), free, map[bool]string{true: "is", false: "are"}[free == 1])
}

func article(kind string) string {
	if strings.HasPrefix(kind, "A") {
		return "an " + kind
	}
	return "a " + kind
}

func vendorName(vendor string) string { return strings.ToUpper(vendor) }

// text says who has how much of a device.
func (s space) text(held []Holding) string {
	type share struct {
		who  string
		n    int
		used int64
	}
	var shares []*share
	for _, h := range held {
		for _, p := range h.Parts {
			if p.Device != s.device.ID {
				continue
			}
			who := fmt.Sprintf("%s@%d in %s", h.Site.App, h.Release, h.Site.Env)
			i := slices.IndexFunc(shares, func(o *share) bool { return o.who == who })
			if i < 0 {
				i, shares = len(shares), append(shares, &share{who: who})
			}
			shares[i].n++
			shares[i].used += taken(s.device, p)
		}
	}
	texts := make([]string, len(shares))
	for i, one := range shares {
		texts[i] = one.who
		if !s.whole {
			texts[i] = s.amount(one.used) + " by " + one.who
		}
	}
	if s.whole {
		return s.device.ID + " by " + strings.Join(texts, " and ")
	}
	return fmt.Sprintf("of %s %s, so that %s is free", s.device.ID, strings.Join(texts, " and "), s.amount(max(0, s.free())))
}

// amount writes a part of a device's capacity.
func (s space) amount(n int64) string {
	if s.device.Memory > 0 {
		return figures.Bytes(n)
	}
	return figures.Percent(float64(n) / float64(capacity(s.device)))
}

// askText says what n instances ask for.
func askText(ask fairlead.GPU, n int) string {
	kind := "GPU"
	if ask.Vendor != "" {
		kind = vendorName(ask.Vendor) + " GPU"
	}
	who, verb, each := figures.Plural(uint64(n), "instance", "instances"), "asks", ""
	if n != 1 {
		verb, each = "ask", " each"
	}
	what := ""
	switch {
	case ask.Memory != "":
		what = ask.Memory + " of " + article(kind) + "'s memory" + each
	case ask.Share > 0:
		what = fmt.Sprintf("%.3g %% of %s%s", float64(ask.Share), article(kind), each)
	default:
		what = figures.Plural(uint64(max(1, ask.Count)), "whole "+kind, "whole "+kind+"s") + each
		if n > 1 {
			what += fmt.Sprintf(", %d together", n*max(1, ask.Count))
		}
	}
	return who + " " + verb + " for " + what
}
