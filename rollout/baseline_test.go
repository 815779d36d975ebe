package rollout

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
)

var baselineSite = fairlead.Site{App: "triage", Env: "production"}

// learnt returns what a release showed in cells.
func learnt(cells ...fairlead.Cell) baselines {
	all := baselines{}
	states := []State{{Live: Live{Site: baselineSite, Stable: 1}}}
	all.learn(states, []fairlead.Block{{Site: baselineSite, Cells: cells}})
	return all
}

func cellOf(change func(*fairlead.Arm)) fairlead.Cell {
	cell := fairlead.Cell{Second: 60}
	change(&cell.Stable)
	return cell
}

func TestABaselineIsFrozenWithSlackAndOnlyOfEnoughRequests(t *testing.T) {
	few := cellOf(func(a *fairlead.Arm) { a.Latency[4], a.First[2] = 900, 900 })
	if latency, first := learnt(few).frozen(armKey{baselineSite, 1}); latency != [3]float64{} || first != [3]float64{} {
		t.Errorf("frozen after 900 requests: %v and %v, want nothing", latency, first)
	}
	more := cellOf(func(a *fairlead.Arm) {
		a.Latency[10], a.Latency[20] = 85, 15
		a.First[3] = 100
	})
	latency, first := learnt(few, more).frozen(armKey{baselineSite, 1})
	bound := fairlead.BucketBound
	if want := [3]float64{bound(4) + 2, bound(4) + 2, bound(20) + 2}; latency != want {
		t.Errorf("frozen latency: %v, want %v", latency, want)
	}
	if want := [3]float64{bound(2) + 2, bound(2) + 2, bound(3) + 2}; first != want {
		t.Errorf("frozen first byte: %v, want %v", first, want)
	}
}

func TestAmountsOfTheOldReleaseAreFrozenToWithinFivePercent(t *testing.T) {
	reports := map[string]fairlead.Reports{}
	for i := range 1000 {
		reports["tokens"] = append(reports["tokens"], fairlead.Report{Unit: uint64(i), Value: float64(i + 1)})
		reports["undeclared"] = append(reports["undeclared"], fairlead.Report{Unit: uint64(i), Value: 1})
	}
	reports["cost"] = fairlead.Reports{{Unit: 1, Value: 0.01}}
	all := learnt(cellOf(func(a *fairlead.Arm) { a.Reports = reports }))
	amount := func(name string) fairlead.SignalSpec {
		return fairlead.SignalSpec{Name: name, Kind: fairlead.KindAmount}
	}
	frozen := all.frozenAmounts(armKey{baselineSite, 1}, []fairlead.SignalSpec{amount("tokens"), amount("cost")})
	for i, want := range []float64{500, 900, 990} {
		if got := frozen["tokens"][i]; got < want || got > want*1.0501 {
			t.Errorf("quantile %d of tokens: %v, want %v to 5 %%", i, got, want)
		}
	}
	if len(frozen) != 1 {
		t.Errorf("frozen %v: cost has one report only, and the third is not declared", frozen)
	}
}

func TestAmountsOfAnySizeFallIntoABoundedNumberOfBuckets(t *testing.T) {
	for _, v := range []float64{0, -1, 5e-324, 1e-9, 1, 1e12, math.MaxFloat64} {
		if b := amountBucket(v); b < amountFirst || b > amountLast {
			t.Errorf("%v falls into bucket %d", v, b)
		}
	}
	if amountBucket(1) != 0 || amountBucket(1.05) != 1 || amountBucket(1.06) != 2 {
		t.Errorf("1, 1.05 and 1.06 are in %d, %d and %d", amountBucket(1), amountBucket(1.05), amountBucket(1.06))
	}
}

func TestTheShareOfFailuresIsOfTheLastMinutesAndOfEnoughRequests(t *testing.T) {
	at := func(second int64, ended, failed uint32) fairlead.Cell {
		cell := fairlead.Cell{Second: second}
		cell.Stable.Ended, cell.Stable.Failed = ended, [fairlead.Classes]uint32{fairlead.Declared: failed}
		return cell
	}
	all := learnt(at(60, 1000, 900), at(240, 30, 10), at(300, 70, 10))
	k := armKey{baselineSite, 1}
	if share, err := all.failing(k, time.Unix(310, 0)); err != nil || share != 0.2 {
		t.Errorf("%v, %v: want 20 of 100", share, err)
	}
	if share, err := all.failing(k, time.Unix(480, 0)); err == nil {
		t.Errorf("%v without requests", share)
	}
}

func TestWhatEndsMuchLaterTakesNothingFromANewMinute(t *testing.T) {
	now := cellOf(func(a *fairlead.Arm) { a.Requests, a.Latency[4] = 1000, 1000 })
	now.Second += 10 * 60 * baselineMinutes
	late := cellOf(func(a *fairlead.Arm) {
		a.Ended, a.Latency[4] = 1, 1
		a.Reports = map[string]fairlead.Reports{"tokens": {{Unit: 1, Value: 5}}}
	})
	if latency, _ := learnt(now, late).frozen(armKey{baselineSite, 1}); latency == [3]float64{} {
		t.Error("a stream of an hour ago that ended made the newest minute unknown")
	}
	back := cellOf(func(a *fairlead.Arm) { a.Requests, a.Latency[4] = 1000, 1000 })
	all := learnt(now, back)
	if at := all[armKey{baselineSite, 1}].minutes[back.Second/60%baselineMinutes].at; at != back.Second/60 {
		t.Error("after the clock was set back nothing is learnt")
	}
}

func TestNamesThatChangeFromSecondToSecondAreNotAllKept(t *testing.T) {
	var cells []fairlead.Cell
	for second := range int64(50) {
		cell := cellOf(func(a *fairlead.Arm) {
			a.Requests, a.Reports = 1, map[string]fairlead.Reports{}
			for i := range 16 {
				a.Reports[fmt.Sprintf("s%d-%d", second, i)] = fairlead.Reports{{Unit: 1, Value: 1}}
			}
		})
		cell.Second += second
		cells = append(cells, cell)
	}
	if n := len(learnt(cells...)[armKey{baselineSite, 1}].minutes[1].amounts); n != baselineNames {
		t.Errorf("%d names of one minute are kept, want %d", n, baselineNames)
	}
}

func TestWhatAReleaseShowedLatelyIsItsOwnAlone(t *testing.T) {
	all, now := baselines{}, time.Unix(6000, 0)
	old, young := armKey{release: 1}, armKey{release: 2}
	for minute := range int64(20) {
		arm := fairlead.Arm{Requests: 100, Ended: 100}
		arm.Failed[fairlead.ServerError] = 1
		arm.Latency[10] = 100
		all.of(old).add(6000-60*(19-minute), arm)
	}
	if got := all.own(old, now); got == nil || got.Ended != 500 || got.Failed != 5 || got.P50 != fairlead.BucketBound(10) {
		t.Errorf("the newest minutes are %+v, want 500 requests with 5 failures", got)
	}
	if got := all.own(old, now.Add(time.Hour)); got != nil {
		t.Errorf("an hour later it showed %+v", got)
	}
	if got := all.own(young, now); got != nil {
		t.Errorf("another release showed %+v", got)
	}
}
