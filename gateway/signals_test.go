package gateway

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/fairlead/fairlead"
)

func TestSignalsAreReadStrictly(t *testing.T) {
	for line, want := range map[string][]signalValue{
		"quality=0.9":                        {{"quality", 0.9}},
		"quality=0.9, tokens=812":            {{"quality", 0.9}, {"tokens", 812}},
		" \ttool-failure=1\t,,cost=-1.5e-3,": {{"tool-failure", 1}, {"cost", -0.0015}},
		"a=1, a=0, b=2":                      {{"a", 1}, {"b", 2}},
		"error=1":                            {{"error", 1}},
		"error=0":                            {{"error", 0}},
		"big=1e12, bigger=1.1e12":            {{"big", 1e12}},
		"error=0.5":                          nil, "error": nil, "Error=1": nil, "=1": nil, "a=": nil, "a==1": nil, "a =1": nil, "a= 1": nil,
		"a=NaN": nil, "a=Inf": nil, "a=-infinity": nil, "a=0x10": nil, "a=1_000": nil, "a=1e400": nil, "a=1;b=2": nil,
		"a=\"1\"": nil, "ü=1": nil, "a-=1": nil, "-a=1": nil, "a=1\x00": nil, "a=1 2": nil, "a=+-1": nil,
		"": nil, ",,,": nil,
		strings.Repeat("a", 41) + "=1":            nil,
		"a=0." + strings.Repeat("1", numberMost):  nil,
		"a=1" + strings.Repeat(" ", 5000) + ",b=": nil,
	} {
		var r reading
		if got, _ := r.take([]string{line}); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %v, want %v", line, got, want)
		}
	}
}

func TestASignalOfNoUseIsCounted(t *testing.T) {
	var r reading
	fresh, ignored := r.take([]string{"a=1, b=x, a=2", "", "c=1e13", strings.Repeat("d=1,", 2000), "e=5"})
	if len(fresh) != 1 || ignored != 5 { // b, the second a, c, the long line, and what comes after it
		t.Errorf("got %v and %d", fresh, ignored)
	}
}

func TestAnAnswerReportsAtMostSixteenSignalsInHeaderAndTrailerTogether(t *testing.T) {
	var r reading
	header := []string{"a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1", "i=1,j=1"}
	if fresh, ignored := r.take(header); len(fresh) != 10 || ignored != 0 {
		t.Fatalf("header: %v and %d", fresh, ignored)
	}
	fresh, ignored := r.take([]string{"a=2,k=1,l=1,m=1,n=1,o=1,p=1,q=1"})
	if len(fresh) != 6 || fresh[5].name != "p" || ignored != 2 {
		t.Fatalf("trailer: %v and %d", fresh, ignored)
	}
}

func FuzzSignals(f *testing.F) {
	f.Add("quality=0.9, tokens=812", "error=1")
	f.Add("a=1,a=2,,", "=,=,a")
	f.Add("x=-1e-300, y=1e12", "x=1e+309")
	f.Fuzz(func(t *testing.T, header, trailer string) {
		var r reading
		seen := map[string]bool{}
		for _, lines := range [][]string{{header}, {trailer, header}} {
			fresh, ignored := r.take(lines)
			if ignored < 0 || ignored > len(header)+len(trailer) {
				t.Fatalf("%d ignored", ignored)
			}
			for _, one := range fresh {
				if seen[one.name] || !fairlead.ValidName(one.name) || !(math.Abs(one.value) <= signalValueMost) {
					t.Fatalf("took %+v", one)
				}
				seen[one.name] = true
			}
		}
		if len(seen) > signalsMost {
			t.Fatalf("took %d signals", len(seen))
		}
	})
}
