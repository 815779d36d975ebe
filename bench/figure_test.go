package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
)

func TestAGoalIsReachedByTheMedianOrByEverySample(t *testing.T) {
	samples := []float64{1, 2, 30}
	for name, c := range map[string]struct {
		goal *goal
		want bool
	}{
		"the median is within":        {most(2), true},
		"the median is beyond":        {most(1.9), false},
		"one process is beyond":       {each(29), false},
		"every process is within":     {each(30), true},
		"at least that many":          {least(2), true},
		"more than there are":         {least(3), false},
		"what has no goal is not met": {nil, false},
	} {
		if got := (figure{Goal: c.goal, Samples: samples}).reached(); got != c.want {
			t.Errorf("%s: reached is %t", name, got)
		}
	}
	if (figure{Goal: most(1)}).reached() {
		t.Error("a figure that was not measured is reached")
	}
}

func TestQuantilesLieBetweenSamples(t *testing.T) {
	for q, want := range map[float64]float64{0: 1, 0.5: 2.5, 1: 4, 0.1: 1.3} {
		if got := quantile([]float64{4, 1, 3, 2}, q); got < want-1e-9 || got > want+1e-9 {
			t.Errorf("quantile %g is %g, want %g", q, got, want)
		}
	}
}

func TestAShiftIsTimedFromItsVerdictAlone(t *testing.T) {
	var back, on figure
	decided := map[string]fairlead.Entry{}
	at := time.Unix(1000, 0)
	for _, e := range []fairlead.Entry{
		{Time: at, Kind: "traffic.shifted", Data: json.RawMessage(`{"target":"a"}`)}, // a first weight
		{Time: at, Kind: "rollout.advanced", Data: json.RawMessage(`{"rollout":"a"}`)},
		{Time: at, Kind: "rollout.rolledBack", Data: json.RawMessage(`{"rollout":"b"}`)},
		{Time: at.Add(5 * time.Millisecond), Kind: "traffic.shifted", Data: json.RawMessage(`{"target":"a"}`)},
		{Time: at.Add(7 * time.Millisecond), Kind: "traffic.shifted", Data: json.RawMessage(`{"target":"b"}`)},
		{Time: at.Add(9 * time.Millisecond), Kind: "traffic.shifted", Data: json.RawMessage(`{"target":"b"}`)},
	} {
		if err := pair(e, decided, &back, &on); err != nil {
			t.Fatal(err)
		}
	}
	if len(on.Samples) != 1 || on.Samples[0] != 5 || len(back.Samples) != 1 || back.Samples[0] != 7 {
		t.Errorf("advance %v, back %v, want 5 and 7 ms", on.Samples, back.Samples)
	}
}
