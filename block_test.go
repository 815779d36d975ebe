package fairlead_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/fairlead/fairlead"
)

// These forms stand in recorded facts and in the spools of gateways.
func TestTheFormsOfABlockStayAsTheyAre(t *testing.T) {
	arm := fairlead.Arm{
		Units:   fairlead.Units{1, 1<<64 - 1},
		Latency: fairlead.LatencyBuckets{12: 3, 63: 1<<32 - 1},
		Reports: map[string]fairlead.Reports{"quality": {{Unit: 1, Value: 0.5}, {Unit: 2, Value: 0}}},
	}
	arm.Hits[fairlead.Failures] = fairlead.Units{7}
	want := `{"units":"AAAAAAAAAAH//////////w==","hits":["AAAAAAAAAAc=","","","","","",""],"failed":[0,0,0,0],` +
		`"latency":"12:3 63:4294967295","first":"","reports":{"quality":"AAAAAAAAAAE/4AAAAAAAAAAAAAAAAAACAAAAAAAAAAA="}}`
	got, err := json.Marshal(arm)
	if err != nil || string(got) != want {
		t.Fatalf("got %s, %v\nwant %s", got, err, want)
	}
	var back fairlead.Arm
	if err := json.Unmarshal(got, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back.Units, arm.Units) || back.Latency != arm.Latency || !reflect.DeepEqual(back.Reports, arm.Reports) {
		t.Errorf("%+v comes back as %+v", arm, back)
	}
}

func TestBrokenFormsOfABlockAreRefused(t *testing.T) {
	for _, broken := range []string{
		`{"units":"AAAA"}`, `{"units":"%"}`, `{"units":7}`,
		`{"reports":{"quality":"AAAAAAAAAAE="}}`,
		`{"reports":{"quality":"AAAAAAAAAAF/8AAAAAAAAA=="}}`,
		`{"latency":"64:1"}`, `{"latency":"1"}`, `{"latency":"1:-1"}`, `{"latency":7}`,
	} {
		if err := json.Unmarshal([]byte(broken), new(fairlead.Arm)); err == nil {
			t.Errorf("%s is taken", broken)
		}
	}
}
