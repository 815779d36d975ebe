package reach

import (
	"fmt"
	"slices"
	"strings"
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
	for _, bad := range []string{"", "host", "host:0", "host:70000", "*:80", "a b:80", "a\nb:80", "0.0.0.0:80", "[fe80::1%eth0]:80", "224.0.0.1:80", ":80", "127.77.0.1:80", "[::ffff:127.77.255.255]:80"} {
		if _, err := Parse(fairlead.Network{Reach: []string{bad}}); fairlead.CodeOf(err) != fairlead.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestHowMuchMayBeReachedHasABound(t *testing.T) {
	var many []string
	for n := range 101 {
		many = append(many, fmt.Sprintf("h%d.example:80", n))
	}
	long := strings.Repeat("a", 253)
	for _, c := range []struct {
		reach []string
		rules int // -1 for refused
	}{
		{many[:100], 100}, {many, -1}, {[]string{long + ":80"}, 1}, {[]string{long + "a:80"}, -1},
		{[]string{"10.1.2.3:443", "[::ffff:10.1.2.3]:443", "10.1.2.3:444"}, 2}, {[]string{"notlocalhost:80"}, 1},
	} {
		rules, err := Parse(fairlead.Network{Reach: c.reach})
		if n := len(rules); err != nil && c.rules >= 0 || err == nil && n != c.rules {
			t.Errorf("%.60q has %d rules, %v, want %d", c.reach, n, err, c.rules)
		}
		for _, rule := range rules {
			if rule.At.Is4In6() || rule.Host == "notlocalhost" && rule.Target != "notlocalhost:80" {
				t.Errorf("%.60q becomes %+v", c.reach, rule)
			}
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
