package consolecookie_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/fairlead/fairlead/internal/consolecookie"
)

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
