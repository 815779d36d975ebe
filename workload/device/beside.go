package device

import (
	"errors"
	"slices"

	"github.com/fairlead/fairlead"
)

// Want is what some instances of one release ask for.
type Want struct {
	Site    fairlead.Site
	Release int
	Count   int          // instances
	Ask     fairlead.GPU // of each
}

// Beside says how many of the wanted instances can have their devices beside those that
// are promised, and why not all can: a *[Shortage], or code invalid. Of what is held now
// only that counts which a want explains: what is not promised any more ends before. It
// is pure.
func Beside(v Inventory, held []Holding, promised []Want, wanted Want) (fit int, why error) {
	rest := slices.Clone(held)
	var kept []Holding
	keep := func(w Want) (n int) {
		rest = slices.DeleteFunc(rest, func(h Holding) bool {
			if n == w.Count || h.Site != w.Site || h.Release != w.Release {
				return false
			}
			n++
			kept = append(kept, h)
			return true
		})
		return n
	}
	missing := make([]int, len(promised))
	for i, w := range promised {
		missing[i] = w.Count - keep(w)
	}
	fit = keep(wanted)
	for i, w := range promised {
		kept = append(kept, upTo(v, kept, w, missing[i])...)
	}
	more := upTo(v, kept, wanted, wanted.Count-fit)
	if fit += len(more); fit == wanted.Count {
		return fit, nil
	}
	_, why = Assign(v, kept, wanted.Ask, wanted.Count-fit+len(more))
	if short := (*Shortage)(nil); errors.As(why, &short) {
		short.Asked, short.Fit, short.Instances = askText(wanted.Ask, wanted.Count), fit, wanted.Count
	}
	return fit, why
}

// upTo returns the holdings of as many more instances as can be had, n at most.
func upTo(v Inventory, held []Holding, w Want, n int) []Holding {
	for ; n > 0; n-- {
		given, err := Assign(v, held, w.Ask, n)
		if err != nil {
			continue
		}
		more := make([]Holding, len(given))
		for i, parts := range given {
			more[i] = Holding{Site: w.Site, Release: w.Release, Parts: parts}
		}
		return more
	}
	return nil
}
