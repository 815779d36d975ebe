package release

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func diffOf(before, after string) string {
	work := maxWork
	diff, _, _ := unified(before, after, 1<<30, &work)
	return diff
}

func TestAUnifiedDiffShowsWhatChangedWithThreeLinesAround(t *testing.T) {
	for name, c := range map[string]struct{ before, after, want string }{
		"nothing":              {"a\nb\n", "a\nb\n", ""},
		"both empty":           {"", "", ""},
		"a new text":           {"", "a\nb\n", "@@ -0,0 +1,2 @@\n+a\n+b\n"},
		"a text that is gone":  {"a\n", "", "@@ -1 +0,0 @@\n-a\n"},
		"one line":             {"1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n", "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n"},
		"a newline at the end": {"a", "a\n", "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n"},
		"no newline on both":   {"a\nb", "c\nb", "@@ -1,2 +1,2 @@\n-a\n+c\n b\n\\ No newline at end of file\n"},
		"line ends":            {"a\r\nb\r\n", "a\nb\r\n", "@@ -1,2 +1,2 @@\n-a\r\n+a\n b\r\n"},
		"far apart": {
			"x\n1\n2\n3\n4\n5\n6\n7\ny\n", "X\n1\n2\n3\n4\n5\n6\n7\nY\n",
			"@@ -1,4 +1,4 @@\n-x\n+X\n 1\n 2\n 3\n@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-y\n+Y\n",
		},
		"six lines apart": {
			"x\n1\n2\n3\n4\n5\n6\ny\n", "X\n1\n2\n3\n4\n5\n6\nY\n",
			"@@ -1,8 +1,8 @@\n-x\n+X\n 1\n 2\n 3\n 4\n 5\n 6\n-y\n+Y\n",
		},
		"a moved block": {"a\nb\nc\nd\n", "c\nd\na\nb\n", "@@ -1,4 +1,4 @@\n-a\n-b\n c\n d\n+a\n+b\n"},
	} {
		if got := diffOf(c.before, c.after); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

// apply patches a text by a unified diff and fails where the diff does not fit.
func apply(before, diff string) (string, error) {
	old := lines(before)
	var out []string
	at := 0
	rows := lines(diff)
	for i := 0; i < len(rows); i++ {
		row := rows[i]
		if head, ok := strings.CutPrefix(row, "@@ -"); ok {
			from, count, _ := strings.Cut(strings.Fields(head)[0], ",")
			start, err := strconv.Atoi(from)
			if err != nil {
				return "", err
			}
			if count != "0" {
				start--
			}
			if start < at {
				return "", fmt.Errorf("hunk %q goes back", row)
			}
			out = append(out, old[at:start]...)
			at = start
			continue
		}
		line := row[1:]
		if i+1 < len(rows) && rows[i+1] == noNewline {
			line = strings.TrimSuffix(line, "\n")
			i++
		}
		if row[0] != '+' {
			if at >= len(old) || old[at] != line {
				return "", fmt.Errorf("%q is not line %d", line, at+1)
			}
			at++
		}
		if row[0] != '-' {
			out = append(out, line)
		}
	}
	return strings.Join(append(out, old[at:]...), ""), nil
}

func TestApplyingADiffGivesTheNewText(t *testing.T) {
	text := rapid.Custom(func(t *rapid.T) string {
		all := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "", "d\r", "-", "+", "\\ No", "@@ -1 +1 @@"}), 0, 40).Draw(t, "lines")
		return strings.Join(all, "\n")
	})
	rapid.Check(t, func(t *rapid.T) {
		before, after := text.Draw(t, "before"), text.Draw(t, "after")
		diff := diffOf(before, after)
		got, err := apply(before, diff)
		if err != nil || got != after {
			t.Fatalf("%q, %v; want %q by\n%s", got, err, after, diff)
		}
		if (diff == "") != (before == after) {
			t.Fatalf("%q to %q is %q", before, after, diff)
		}
	})
}

func TestBetweenUniqueLinesADiffIsAsShortAsItCanBe(t *testing.T) {
	letters := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 24)
	rapid.Check(t, func(t *rapid.T) {
		a, b := letters.Draw(t, "a"), letters.Draw(t, "b")
		work := 0
		c := newComparison(a, b, &work) // finds what both begin and end with
		clear(c.keepA)
		clear(c.keepB)
		work = maxWork
		c.greedy(0, len(a), 0, len(b))
		kept := 0
		for _, k := range c.keepA {
			if k {
				kept++
			}
		}
		if want := common(c.a, c.b); kept != want {
			t.Fatalf("%d common lines are found of %d", kept, want)
		}
	})
}

// common returns the length of the longest common subsequence, by the textbook.
func common(a, b []int) int {
	row := make([]int, len(b)+1)
	for _, x := range a {
		diagonal := 0
		for j, y := range b {
			above := row[j+1]
			if x == y {
				row[j+1] = diagonal + 1
			} else {
				row[j+1] = max(above, row[j])
			}
			diagonal = above
		}
	}
	return row[len(b)]
}

func TestHostileTextsAreComparedInBoundedSteps(t *testing.T) {
	const size = 128 << 10
	odd, even := strings.Repeat("a\nb\n", size/4), strings.Repeat("b\nb\na\na\n", size/8)
	var up, down []string
	for i := range size / 6 {
		up = append(up, fmt.Sprintf("%05d\n", i))
	}
	down = slices.Clone(up)
	slices.Reverse(down)
	for name, c := range map[string][2]string{
		"two lines over and over": {odd, even},
		"all lines turned round":  {strings.Join(up, ""), strings.Join(down, "")},
		"nothing in common":       {strings.Repeat("a\n", size/2), strings.Repeat("b\n", size/2)},
		"newlines alone":          {strings.Repeat("\n", size), strings.Repeat("\n", size-1) + "x\n"},
		"one line":                {strings.Repeat("a", size), strings.Repeat("b", size)},
	} {
		work := maxWork
		diff, _, _ := unified(c[0], c[1], 1<<30, &work)
		if got, err := apply(c[0], diff); long(c[0]) == false && (err != nil || got != c[1]) {
			t.Errorf("%s: the diff does not give the new text: %v", name, err)
		}
		if work < -4*size { // what is found to be spent is at most one pass too late
			t.Errorf("%s took %d steps more than it may", name, -work)
		}
	}
}

func long(text string) bool {
	return slices.ContainsFunc(lines(text), func(l string) bool { return len(l) > maxLine })
}

func TestADiffThatIsTooLongEndsAtALineAndSaysHowManyAreLeftOut(t *testing.T) {
	work := maxWork
	diff, cut, _ := unified("", strings.Repeat("line\n", 100), 60, &work)
	if want := "@@ -0,0 +1,100 @@\n" + strings.Repeat("+line\n", 7); diff != want || cut != 93 {
		t.Errorf("%q with %d left out", diff, cut)
	}
}

func FuzzApplyingADiffGivesTheNewText(f *testing.F) {
	f.Add("a\nb\nc\n", "a\nc\nd")
	f.Add("", "\n\n")
	f.Add("a\r\n", "a\n")
	f.Add("\\ No newline at end of file\n", "\\ No newline at end of file")
	f.Fuzz(func(t *testing.T, before, after string) {
		work := maxWork
		diff, cut, long := unified(before, after, 1<<30, &work)
		if long || cut > 0 {
			return
		}
		if got, err := apply(before, diff); err != nil || got != after {
			t.Errorf("%q, %v; want %q by\n%s", got, err, after, diff)
		}
	})
}
