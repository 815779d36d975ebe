package cli

import (
	"strings"
	"testing"
)

func TestRoutesHaveATableOfTheirOwnWhereOneWouldBeTooWide(t *testing.T) {
	rows := [][]string{
		{"APP", "ENVIRONMENT", "RELEASE", "ROUTE", "INSTANCES", "ROLLOUT"},
		{"answer", "production", "answer@1", "answer.localhost/", "2 of 2 ready", "answer@2 step 1 of 3, 10 %"},
	}
	for width, tables := range map[int]int{80: 2, 120: 1} {
		var out strings.Builder
		if err := writeSites(&out, rows, width); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(out.String(), "APP"); got != tables || strings.Count(out.String(), "answer.localhost/") != 1 {
			t.Errorf("%d columns: %d tables, want %d:\n%s", width, got, tables, out.String())
		}
		for line := range strings.Lines(out.String()) {
			if len(strings.TrimRight(line, "\n")) > width {
				t.Errorf("%d columns: a line is wider: %q", width, line)
			}
		}
	}
}
