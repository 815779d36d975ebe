package exposition

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func parse(t *testing.T, text string) Page {
	t.Helper()
	p, err := Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return p
}

func join(t *testing.T, pages ...Labelled) string {
	t.Helper()
	var b bytes.Buffer
	if err := Join(&b, pages); err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(b.Bytes()); err != nil {
		t.Errorf("what was joined cannot be read: %v\n%s", err, b.String())
	}
	return b.String()
}

func from(p Page, instance string) Labelled {
	return Labelled{Page: p, Labels: []Label{{"app", "chat"}, {"instance", instance}}}
}

func TestPagesAreJoinedWithOneHeadForEachFamily(t *testing.T) {
	page := "# HELP q Waiting.\n# TYPE q gauge\nq{kind=\"a\"} 3 1700000000000\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2\nh_sum 0.5\nh_count 2\n# EOF\n"
	got := join(t, from(parse(t, page), "i-1"), from(parse(t, page), "i-2"))
	want := `# TYPE h histogram
h_bucket{le="+Inf",app="chat",instance="i-1"} 2
h_sum{app="chat",instance="i-1"} 0.5
h_count{app="chat",instance="i-1"} 2
h_bucket{le="+Inf",app="chat",instance="i-2"} 2
h_sum{app="chat",instance="i-2"} 0.5
h_count{app="chat",instance="i-2"} 2
# HELP q Waiting.
# TYPE q gauge
q{kind="a",app="chat",instance="i-1"} 3 1700000000000
q{kind="a",app="chat",instance="i-2"} 3 1700000000000
`
	if got != want {
		t.Errorf("%s", got)
	}
}

func TestASamplesOwnLabelsGiveWay(t *testing.T) {
	got := join(t, from(parse(t, `x{app="mine",exported_app="older",b="\"\\\n"} 1`+"\n"), "i"))
	if want := `x{exported_app="mine",exported_exported_app="older",b="\"\\\n",app="chat",instance="i"} 1` + "\n"; got != want {
		t.Errorf("%s", got)
	}
}

func TestWherePagesDifferAboutATypeThereIsNone(t *testing.T) {
	got := join(t, from(parse(t, "# TYPE x histogram\nx_sum 1\nx_count 1\nx_bucket{le=\"+Inf\"} 1\n"), "a"), from(parse(t, "# TYPE x gauge\nx 1\n"), "b"))
	if strings.Contains(got, "# TYPE") || strings.Count(got, "\n") != 4 {
		t.Errorf("%s", got)
	}
}

func TestAPageThatCannotBeReadIsRefusedWhole(t *testing.T) {
	for text, want := range map[string]string{
		"ok 1\nbad\n":                      "line 2: no value",
		"x NaNo\n":                         "no number",
		"x 1 soon\n":                       "no number of milliseconds",
		"x 1 2 3\n":                        "more than a value and a time",
		"x{a=\"1\",a=\"2\"} 1\n":           "no label",
		"# TYPE x gauge\n# TYPE x counter": "two types",
		"# TYPE 1x gauge\n":                "no name of a metric",
		"x{a=\"\xff\"} 1\n":                "UTF-8",
		"x{__name__=\"y\"} 1\n":            "begins with __",
		"<html>\n":                         "no name",
		strings.Repeat("x", 300) + " 1\n":  "too long",
		"x{a=\"" + strings.Repeat("x", 2000) + "\"} 1\n": "too long",
		strings.Repeat(" ", MostBytes+1):                 "MiB",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
	var many strings.Builder
	for i := range mostSamples + 1 {
		fmt.Fprintf(&many, "x{i=\"%d\"} 1\n", i)
	}
	if _, err := Parse([]byte(many.String())); err == nil {
		t.Error("a page of too many samples is read")
	}
}

func TestOddButGoodLinesAreRead(t *testing.T) {
	p := parse(t, "\n# just a comment\n#\n# HELP\nx 1 # {trace=\"a\"} 0.5\ny +Inf\nz -1e400\nx 2\nw{ a = \"1\" , } NaN\n# TYPE i info\ni 1\n")
	if len(p.Samples) != 5 || p.Samples[0].Value != "1" || p.Families["i"].Type != "untyped" {
		t.Errorf("%+v", p)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("# HELP q Waiting.\n# TYPE q gauge\nq{kind=\"a\"} 3 1700000000000\n"))
	f.Add([]byte("a{b=\"\\"))
	f.Add([]byte("# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2 # {a=\"b\"} 1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse(data)
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := Join(&b, []Labelled{from(p, "i")}); err != nil {
			t.Fatal(err)
		}
		again, err := Parse(b.Bytes())
		if err != nil && len(b.Bytes()) <= MostBytes {
			t.Fatalf("%v\n%q", err, b.String())
		}
		if err == nil && len(again.Samples) != len(p.Samples) {
			t.Errorf("%d samples become %d", len(p.Samples), len(again.Samples))
		}
	})
}
