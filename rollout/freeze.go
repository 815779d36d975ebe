package rollout

import "github.com/fairlead/fairlead"

// Freeze returns what a loop that took in blocks of an old release's traffic, which
// are of one site and in order, puts into the inputs of a rollout that begins after
// them: Frozen, First and Amounts. A simulation without a loop calls it.
func Freeze(blocks []fairlead.Block, signals []fairlead.SignalSpec) Input {
	all, old := baselines{}, armKey{}
	for _, b := range blocks {
		for _, c := range b.Cells {
			all.of(old).add(c.Second, c.Stable)
		}
	}
	var in Input
	in.Frozen, in.First = all.frozen(old)
	in.Amounts = all.frozenAmounts(old, signals)
	return in
}
