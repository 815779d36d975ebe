package device

import (
	"slices"

	"github.com/fairlead/fairlead"
)

// Offer is what would let a new release have its devices, where it cannot have them
// beside what runs.
type Offer struct {
	Beside  bool // it fits beside all that runs: nothing needs to give way
	Replace bool // it fits when the old release of its site ends first (strategy: {type: replace})
	Shrink  int  // least number of its instances that the old release gives up so that one of the new release fits beside the others; 0: that does not help
}

// Offers says what would let n instances of a new release at a site have what each asks
// for. It is pure. Shrinking is offered only where the old release keeps an instance,
// and where all n fit once all of the old release's have gone.
func Offers(v Inventory, held []Holding, site fairlead.Site, ask fairlead.GPU, n int) Offer {
	fits := func(held []Holding, n int) bool {
		_, err := Assign(v, held, ask, n)
		return err == nil
	}
	if fits(held, n) {
		return Offer{Beside: true}
	}
	var others, old []Holding
	for _, h := range held {
		if h.Site == site {
			old = append(old, h)
		} else {
			others = append(others, h)
		}
	}
	o := Offer{Replace: len(old) > 0 && fits(others, n)}
	if !o.Replace {
		return o
	}
	for gives := 1; gives < len(old); gives++ {
		if fits(slices.Concat(others, old[gives:]), 1) {
			o.Shrink = gives
			break
		}
	}
	return o
}

// Hint says in words what an offer means for the file of an app.
func (o Offer) Hint() string {
	switch {
	case o.Beside:
		return ""
	case o.Replace && o.Shrink > 0:
		return "let the old release give up instances for the new one's with strategy: {shrink: true}, or end it first with strategy: {type: replace}"
	case o.Replace:
		return "end the old release before the new one starts with strategy: {type: replace}: requests wait meanwhile"
	}
	return "ask for less under spec.resources.gpu, lower replicas, or end what holds the devices: fairlead devices"
}
