package reach

import (
	"fmt"
	"slices"
	"testing"

	"github.com/fairlead/fairlead"
)

func TestEachNameToReachHasAnAddressOfItsOwn(t *testing.T) {
	rules, err := Parse(fairlead.Network{Reach: []string{"db.internal:5432", "db.internal:5433", "api.example.com:443", "127.0.0.1:6379", "localhost:80", "[::1]:90", "10.1.2.3:443", "10.1.2.3:443"}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, rule := range rules {
		got = append(got, fmt.Sprintf("%s %d", rule.At, rule.Port))
	}
	want := []string{"127.77.0.1 5432", "127.77.0.1 5433", "127.77.0.2 443", "127.0.0.1 6379", "127.0.0.1 80", "::1 90", "10.1.2.3 443"}
	if !slices.Equal(got, want) {
		t.Errorf("rules are %q, want %q", got, want)
	}
	for _, bad := range []string{"", "host", "host:0", "host:70000", "*:80", "a b:80", "a\nb:80", "0.0.0.0:80", "[fe80::1%eth0]:80", "224.0.0.1:80", ":80"} {
		if _, err := Parse(fairlead.Network{Reach: []string{bad}}); fairlead.CodeOf(err) != fairlead.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestTheRouteOfAnotherAppIsOnTheMachinesLoopback(t *testing.T) {
	rules, err := Parse(fairlead.Network{Reach: []string{"api.localhost:8080", "api.example.com:443"}})
	if err != nil {
		t.Fatal(err)
	}
	if at, target := rules[0].At.String(), rules[0].Target; at != "127.77.0.1" || target != "127.0.0.1:8080" {
		t.Errorf("api.localhost is %s inside and %s outside, want an address of its own and 127.0.0.1:8080", at, target)
	}
	if rules[1].Target != "api.example.com:443" {
		t.Errorf("api.example.com is %s outside, want itself", rules[1].Target)
	}
}
