package consolecookie_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/consolecookie"
)

func TestConsolesOnTwoPortsHaveACookieEach(t *testing.T) {
	for at, want := range map[string]string{
		"fairlead.localhost:8090": "fairlead_console_8090", "127.0.0.1:8091": "fairlead_console_8091", "[::1]:80": "fairlead_console_80",
		"fairlead.example": "fairlead_console", "fairlead.example:": "fairlead_console", "": "fairlead_console",
	} {
		if got := consolecookie.Of(at); got != want {
			t.Errorf("at %q it is %s", at, got)
		}
	}
}

func FuzzWhatIsLeftHasNoneOfOursAndAllOfTheOthers(f *testing.F) {
	f.Add("a=1; fairlead_console_8090=secret; b=2")
	f.Add(";;fairlead_console;= ;fairlead_console =")
	f.Fuzz(func(t *testing.T, line string) {
		h := http.Header{"Cookie": {line}}
		before := (&http.Request{Header: h.Clone()}).Cookies()
		consolecookie.Strip(h)
		before = slices.DeleteFunc(before, func(c *http.Cookie) bool {
			return c.Name == consolecookie.Name || strings.HasPrefix(c.Name, consolecookie.Name+"_")
		})
		after := (&http.Request{Header: h}).Cookies()
		if !slices.EqualFunc(before, after, func(a, b *http.Cookie) bool { return a.Name == b.Name && a.Value == b.Value }) {
			t.Errorf("%q became %q", line, h)
		}
	})
}

func TestOnlyTheConsolesCookieIsTakenOut(t *testing.T) {
	for _, c := range []struct{ given, want []string }{
		{nil, nil},
		{[]string{"a=1; b=2"}, []string{"a=1; b=2"}},
		{[]string{"fairlead_console=secret"}, nil},
		{[]string{"a=1; fairlead_console=secret; b=2"}, []string{"a=1; b=2"}},
		{[]string{"fairlead_console=secret; b=2"}, []string{"b=2"}},
		{[]string{"a=1; fairlead_console=secret"}, []string{"a=1"}},
		{[]string{"a=1;fairlead_console = secret ;b=2"}, []string{"a=1;b=2"}},
		{[]string{"fairlead_console=one; a=1; fairlead_console=two"}, []string{"a=1"}},
		{[]string{"a=1", "fairlead_console=secret", "b=2"}, []string{"a=1", "b=2"}},
		{[]string{"fairlead_console"}, nil},
		{[]string{"my_fairlead_console=mine; fairlead_console2=mine"}, []string{"my_fairlead_console=mine; fairlead_console2=mine"}},
		{[]string{"fairlead_console_8090=secret; fairlead_console_8091=secret; a=1"}, []string{"a=1"}},
		{[]string{"about=fairlead_console"}, []string{"about=fairlead_console"}},
	} {
		h := http.Header{}
		if c.given != nil {
			h["Cookie"] = slices.Clone(c.given)
		}
		consolecookie.Strip(h)
		if got := h["Cookie"]; !slices.Equal(got, c.want) {
			t.Errorf("of %q remains %q, not %q", c.given, got, c.want)
		}
		if _, there := h["Cookie"]; there != (c.want != nil) {
			t.Errorf("of %q remains a header: %t", c.given, there)
		}
	}
}

func TestAnApplicationSetsOtherCookiesOnly(t *testing.T) {
	h := http.Header{"Set-Cookie": {"a=1; Path=/", "fairlead_console=planted; Path=/", "b=2"}}
	consolecookie.StripSet(h)
	if got := h["Set-Cookie"]; !slices.Equal(got, []string{"a=1; Path=/", "b=2"}) {
		t.Errorf("set: %q", got)
	}
	for _, line := range []string{"=fairlead_console_8090=planted", " = fairlead_console=planted; Path=/", "=fairlead_console", "\t==fairlead_console=x"} {
		h := http.Header{"Set-Cookie": {line}}
		if consolecookie.StripSet(h); len(h) != 0 {
			t.Errorf("%q, which a browser sends as a cookie of the console, is set", line)
		}
	}
	h = http.Header{"Set-Cookie": {"fairlead_console=; Max-Age=0"}}
	consolecookie.StripSet(h)
	if _, there := h["Set-Cookie"]; there {
		t.Errorf("set: %q", h)
	}
}

func TestWhatHasNoSuchCookieCostsNothing(t *testing.T) {
	h := http.Header{"Cookie": {"a=1; fairlead_session=x; theme=dark"}}
	if n := testing.AllocsPerRun(100, func() { consolecookie.Strip(h) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}
