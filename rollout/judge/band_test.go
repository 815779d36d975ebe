package judge

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead"
)

// holds reports whether a band of y of n would hold a value, as ShareBand and RiskBand
// ask it.
func holds(n, y, m float64, risks bool) bool {
	low, high := tilts(1), tilts(-1)
	return against(&low, n, y, m, risks) < bandNeeded && against(&high, n, y, m, risks) < bandNeeded
}

// looks reports whether a simulation looks after n outcomes: after each of the first
// hundred, and then often enough that no excursion is passed over.
func looks(n int) bool { return n <= 100 || n%(n/50) == 0 }

// missed returns in how many of so many simulated courses a band ever missed.
func missed(t *testing.T, runs int, misses func(*rand.Rand) bool) {
	t.Helper()
	times := 0
	for seed := range runs {
		if misses(rand.New(rand.NewPCG(uint64(seed), 7))) {
			times++
		}
	}
	share := float64(times) / float64(runs)
	t.Logf("missed at any time: %.2f %% of %d courses", 100*share, runs)
	if slack := 3 * math.Sqrt(BandError/float64(runs)); share > BandError+slack {
		t.Errorf("it missed in %.1f %% of %d courses, want at most %.0f %%", 100*share, runs, 100*BandError)
	}
}

func TestABandOfAShareHoldsAtAllTimesAlsoWhereTheShareDrifts(t *testing.T) {
	for name, chance := range map[string]func(n, y int) float64{
		"rare":                  func(int, int) float64 { return 0.005 },
		"even":                  func(int, int) float64 { return 0.5 },
		"nearly all":            func(int, int) float64 { return 0.99 },
		"drifting":              func(n, _ int) float64 { return 0.3 + 0.29*math.Sin(float64(n)/300) },
		"broken from some time": func(n, _ int) float64 { return []float64{0.01, 0.6}[min(1, n/500)] },
		"following its past": func(n, y int) float64 { // the worse it was, the better it gets
			if 4*y > n {
				return 0.05
			}
			return 0.45
		},
	} {
		t.Run(name, func(t *testing.T) {
			missed(t, 300, func(r *rand.Rand) bool {
				y, sum := 0, 0.0
				for n := 1; n <= 3000; n++ {
					p := chance(n, y)
					sum += p
					if r.Float64() < p {
						y++
					}
					if looks(n) && !holds(float64(n), float64(y), sum/float64(n), false) {
						return true
					}
				}
				return false
			})
		})
	}
}

// Units fail at their first request or at a later one, while others come: the risk by
// now is the sum of the hazards that they were under.
func TestABandOfARiskHoldsWhereFailuresComeLate(t *testing.T) {
	for name, hazard := range map[string]func(second, age int) float64{
		"rare and late":    func(_, age int) float64 { return []float64{0, 0.001, 0.003}[min(age, 2)] },
		"frequent":         func(_, age int) float64 { return 0.3 / float64(1+age) },
		"broken for a bit": func(second, _ int) float64 { return []float64{0.001, 0.2}[second/40%2] },
	} {
		t.Run(name, func(t *testing.T) {
			missed(t, 300, func(r *rand.Rand) bool {
				n, y, sum := 0, 0, 0.0
				var born []int // of the units that have not failed and may
				for second := range 200 {
					for range 10 {
						n, born = n+1, append(born, second)
					}
					var left []int
					for _, at := range born {
						h := hazard(second, second-at)
						sum += h
						switch {
						case r.Float64() < h:
							y++
						case second-at < 5:
							left = append(left, at)
						}
					}
					born = left
					if !holds(float64(n), float64(y), sum/float64(n), true) {
						return true
					}
				}
				return false
			})
		})
	}
}

func TestABandOfAQuantileHoldsAtAllTimes(t *testing.T) {
	shares := [3]float64{0.5, 0.9, 0.99}
	for name, draw := range map[string]func(*rand.Rand) float64{
		"log-normal":    func(r *rand.Rand) float64 { return 80 * math.Exp(0.8*r.NormFloat64()) },
		"one value":     func(*rand.Rand) float64 { return 42 },
		"mostly cached": func(r *rand.Rand) float64 { return []float64{0.1, 1500}[int(10*r.Float64())/8] },
	} {
		var truth [3]float64
		for i, p := range shares {
			truth[i] = trueQuantile(draw, p)
		}
		t.Run(name, func(t *testing.T) {
			missed(t, 80, func(r *rand.Rand) bool {
				var h [64]uint64
				for n := 1; n <= 2000; n++ {
					h[bucketOf(draw(r))]++
					if !looks(n) {
						continue
					}
					for i, b := range Quantiles(&h, shares) {
						if truth[i] < b.Low || truth[i] > b.High && !b.Open {
							return true
						}
					}
				}
				return false
			})
		})
	}
}

// Latencies that grow are more than a band of a quantile promises; it is to hold the
// quantiles of what came so far all the same.
func TestABandOfAQuantileFollowsLatenciesThatGrow(t *testing.T) {
	shares := [3]float64{0.5, 0.9, 0.99}
	missed(t, 40, func(r *rand.Rand) bool {
		var h [64]uint64
		var expected [64]float64 // requests of each bucket
		for n := 1; n <= 2000; n++ {
			median, below := 80*(1+float64(n)/500), 0.0
			h[bucketOf(median*math.Exp(0.8*r.NormFloat64()))]++
			for i := range expected {
				upTo := 0.5 * (1 + math.Erf(math.Log(fairlead.BucketBound(i)/median)/0.8/math.Sqrt2))
				expected[i] += upTo - below
				below = upTo
			}
			if !looks(n) {
				continue
			}
			for i, b := range Quantiles(&h, shares) {
				bucket, sum := 0, expected[0]
				for sum < shares[i]*float64(n) && bucket < 63 {
					bucket++
					sum += expected[bucket]
				}
				if bound := fairlead.BucketBound(bucket); bound <= b.Low || bucketFloor(bucket) >= b.High && !b.Open {
					return true
				}
			}
		}
		return false
	})
}

func trueQuantile(draw func(*rand.Rand) float64, p float64) float64 {
	r := rand.New(rand.NewPCG(1, 1))
	var h [64]uint64
	for range 400_000 {
		h[bucketOf(draw(r))]++
	}
	return within(&h, p*400_000)
}

func bucketOf(ms float64) int {
	for i := range 64 {
		if ms <= fairlead.BucketBound(i) {
			return i
		}
	}
	return 63
}

func TestBandsAreFiniteAndInOrder(t *testing.T) {
	if ShareBand(0, 0) != nil || RiskBand(0, 0) != nil || Quantiles(&[64]uint64{}, [3]float64{0.5, 0.9, 0.99}) != nil {
		t.Error("there is a band of nothing")
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.OneOf(rapid.Uint64Range(1, 100), rapid.Uint64Range(1, 1e9)).Draw(t, "n")
		y := rapid.OneOf(rapid.Just(uint64(0)), rapid.Just(n), rapid.Uint64Range(0, n)).Draw(t, "y")
		share, risk := ShareBand(n, y), RiskBand(n, y)
		for _, b := range []*Band{share, risk} {
			if !(0 <= b.Low && b.Low <= b.Estimate && b.Estimate <= b.High && b.High <= 1) {
				t.Fatalf("the band of %d of %d is %+v", y, n, *b)
			}
		}
		if risk.High < share.High || risk.Low > share.Low {
			t.Fatalf("of %d of %d the band of the risk %+v is narrower than that of the share %+v", y, n, *risk, *share)
		}
		for risks, b := range map[bool]*Band{false: share, true: risk} {
			near := (b.High - b.Low) / 1000
			for _, m := range []float64{b.Low + near, b.High - near} {
				if !holds(float64(n), float64(y), m, risks) {
					t.Fatalf("%v is in the band of %d of %d, %+v, and excluded", m, y, n, *b)
				}
			}
			for _, m := range []float64{b.Low - near, b.High + near} {
				if m > 0 && m < 1 && holds(float64(n), float64(y), m, risks) {
					t.Fatalf("%v is outside of the band of %d of %d, %+v, and not excluded", m, y, n, *b)
				}
			}
		}
		if more := ShareBand(n, min(y+1, n)); more.Low < share.Low-1e-9 || more.High < share.High-1e-9 {
			t.Fatalf("with one more than %d of %d the band goes from %+v down to %+v", y, n, *share, *more)
		}
	})
	big := ShareBand(1e9, 5e8)
	if big.High-big.Low > 0.001 {
		t.Errorf("the band of half of 10^9 is %+v, want less than 0.1 points", *big)
	}
}

func TestBandsOfQuantilesAreFiniteAndInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h [64]uint64
		for range rapid.IntRange(1, 6).Draw(t, "buckets") {
			h[rapid.IntRange(0, 63).Draw(t, "bucket")] += rapid.Uint64Range(1, 1e8).Draw(t, "count")
		}
		bands := Quantiles(&h, [3]float64{0.5, 0.9, 0.99})
		for i, b := range bands {
			if !(0 <= b.Low && b.Low <= b.Estimate && b.Estimate <= b.High && !math.IsInf(b.High, 0)) {
				t.Fatalf("band %d is %+v", i, b)
			}
			if i > 0 && (b.Low < bands[i-1].Low || b.High < bands[i-1].High || b.Estimate < bands[i-1].Estimate) {
				t.Fatalf("the bands of higher quantiles are lower: %+v", *bands)
			}
		}
	})
}

func BenchmarkBands(b *testing.B) {
	var h [64]uint64
	for i := range 40 {
		h[i] = uint64(10 * i)
	}
	b.Run("risk", func(b *testing.B) {
		for b.Loop() {
			RiskBand(10_000, 48)
		}
	})
	b.Run("quantiles", func(b *testing.B) {
		for b.Loop() {
			Quantiles(&h, [3]float64{0.5, 0.9, 0.99})
		}
	})
}

func TestAnEndOfABandIsWhereTheWealthAgainstItIsForty(t *testing.T) {
	low, high := tilts(1), tilts(-1)
	for _, risks := range []bool{false, true} {
		b := band(1000, 50, risks)
		for end, wealth := range map[string]float64{
			"low": math.Exp(against(&low, 1000, 50, b.Low, risks)), "high": math.Exp(against(&high, 1000, 50, b.High, risks)),
		} {
			if math.Abs(wealth-40) > 0.01 {
				t.Errorf("at the %s end of the band of 50 of 1000, %+v, the wealth is %v, want 40", end, *b, wealth)
			}
		}
	}
	for _, all := range [][bandTilts]tilt{low, high} {
		weights := 0.0
		for _, one := range all {
			weights += math.Exp(one.logWeight)
		}
		if math.Abs(weights-1) > 1e-9 {
			t.Errorf("the weights of the mixture add up to %v", weights)
		}
	}
}

func TestABandOfMoreFailuresThanUnitsIsThatOfAll(t *testing.T) {
	if got, want := RiskBand(10, 12), RiskBand(10, 10); *got != *want || got.Estimate != 1 {
		t.Errorf("the band of 12 of 10 is %+v, want %+v", *got, *want)
	}
}

func TestAQuantileBeyondAllBucketsIsOpenAndOneBelowIsNot(t *testing.T) {
	shares := [3]float64{0.5, 0.9, 0.99}
	var slow, fast [64]uint64
	slow[63], fast[20] = 1000, 1_000_000
	for i, b := range Quantiles(&slow, shares) {
		if !b.Open || b.High != fairlead.BucketBound(63) {
			t.Errorf("quantile %d of what is slower than all bounds is %+v", i, b)
		}
	}
	width := fairlead.BucketBound(20) - fairlead.BucketBound(19)
	for i, b := range Quantiles(&fast, shares) {
		if b.Open || b.Low != fairlead.BucketBound(19) || b.High != fairlead.BucketBound(20) {
			t.Errorf("quantile %d of what is all in one bucket is %+v", i, b)
		}
		if want := fairlead.BucketBound(19) + shares[i]*width; math.Abs(b.Estimate-want) > 1e-9*want {
			t.Errorf("quantile %d within a bucket is %v, want %v", i, b.Estimate, want)
		}
	}
}
