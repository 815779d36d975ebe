package app_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/app"
)

func TestWhoWaitsTooShortlyForAReplacementIsToldTheArithmetic(t *testing.T) {
	seconds := func(n int) fairlead.Duration { return fairlead.Duration(time.Duration(n) * time.Second) }
	for _, c := range []struct {
		strategy                 string
		timeout, drain, runLimit int
		start                    time.Duration
		want                     []string // parts; nothing where nothing is said
	}{
		{fairlead.Replace, 30, 30, 30, 0, []string{"wait 30 s (spec.drain) and the start of the app while", "after 30 s (spec.timeout) it is told 503", "make timeout longer, or spec.drain shorter"}},
		{fairlead.Replace, 30, 20, 20, 0, nil},
		{fairlead.Replace, 30, 20, 20, 11500 * time.Millisecond, []string{"wait 32 s (20 s of spec.drain, 12 s of start as last time)", "after 30 s"}},
		{fairlead.Replace, 30, 20, 20, 9 * time.Second, nil},
		{fairlead.Replace, 30, 20, 3600, 9 * time.Second, []string{"1 h of spec.runLimit", "spec.runLimit shorter"}},
		{fairlead.Canary, 30, 30, 30, time.Minute, nil},
	} {
		spec := fairlead.AppSpec{Timeout: seconds(c.timeout), Drain: seconds(c.drain), RunLimit: seconds(c.runLimit)}
		got := app.Impatience(spec, fairlead.Environment{Name: "production", Strategy: fairlead.Strategy{Type: c.strategy}}, c.start)
		if (got == "") != (c.want == nil) {
			t.Errorf("%+v: %q", c, got)
		}
		for _, part := range c.want {
			if !strings.Contains(got, part) {
				t.Errorf("%+v: %q does not say %q", c, got, part)
			}
		}
	}
}
