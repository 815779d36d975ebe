package corpus

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

func written(t *testing.T, c Cell, until time.Duration) string {
	t.Helper()
	var raw bytes.Buffer
	if err := Write(&raw, c, Score, 0, until); err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewReader(&raw)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A world is what it was: a change of this file is a change of the corpus, after
// which all results are made again. To write it anew: FAIRLEAD_GOLDEN=1 go test ./sim/corpus
func TestTheFirstWorldsAreAsTheyWere(t *testing.T) {
	var text strings.Builder
	for _, name := range []string{"errors-5%/1rps/sticky/flat", "same-chat/1rps/random/day"} {
		lines := strings.SplitAfter(written(t, cell(t, name), time.Minute), "\n")
		for i, l := range lines {
			if i > 0 && len(lines)-i < 20 {
				text.WriteString(l)
			}
		}
	}
	const file = "testdata/worlds.jsonl"
	if os.Getenv("FAIRLEAD_GOLDEN") != "" {
		if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text.String() != string(want) {
		t.Errorf("the worlds are other ones:\n%s", text.String())
	}
}

// Whoever follows the file's rule (on the new release if u is below the weight) sees
// the same outcomes as a judge that is played.
func TestAWrittenWorldIsWhatAJudgeMeets(t *testing.T) {
	for _, name := range []string{"errors-5%/10rps/sticky/flat", "share-mismatch/10rps/random/flat"} {
		c := cell(t, name)
		met := map[string]string{}
		see := func(s *Second) {
			for _, r := range s.Ended {
				if r.Canary {
					met[time.Duration(r.At).Round(time.Microsecond).String()] = r.Outcome.String()
				}
			}
		}
		PlayUntil(NewWorld(c, Score, 0), []Rule{fixed("tenth", time.Hour, []float64{0.1}, see)}, 120*time.Second)
		lines := bufio.NewScanner(strings.NewReader(written(t, c, 60*time.Second)))
		lines.Scan() // the header
		n := 0
		for lines.Scan() {
			var l line
			if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
				t.Fatal(err)
			}
			if l.At < 1 || l.Place >= 0.1 { // the weight is given at the end of the first second
				continue
			}
			n++
			want := l.Stable.Outcome
			if l.Canary != nil {
				want = l.Canary.Outcome
			}
			at := time.Duration(l.At * float64(time.Second)).Round(time.Microsecond).String()
			if met[at] != want {
				t.Fatalf("%s: the file has %s for the request at %s on the new release, the judge met %q", name, want, at, met[at])
			}
		}
		if n < 20 {
			t.Errorf("%s: %d requests on the new release, too few", name, n)
		}
	}
}

func TestWorldsThatFollowInstancesAreNotWritten(t *testing.T) {
	err := Write(io.Discard, cell(t, "stalls/10rps/random/flat"), Score, 0, time.Second)
	if err == nil || !strings.Contains(err.Error(), "can only be played") {
		t.Errorf("%v, want a refusal", err)
	}
}

func TestDecisionsOfOthersAreScoredLikeAnyJudges(t *testing.T) {
	c := cell(t, "ready-but-broken/10rps/random/flat")
	d, err := ReadDecisions(strings.NewReader(`{"cell":"` + c.Name + `","world":0,"t":1,"weight":0.1}
		{"cell":"` + c.Name + `","world":0,"t":60,"weight":0,"state":"rolledBack"}`))
	if err != nil {
		t.Fatal(err)
	}
	if n := d.Worlds(c.Name); n != 1 {
		t.Fatalf("%d worlds, want 1", n)
	}
	r := d.Play(c, Score, 0)
	if r.State != RolledBack || r.Decided != time.Minute || r.Canary < 40 || r.Canary > 80 || r.Excess < 0.9*float64(r.Canary) {
		t.Errorf("%+v, want a rollback after a minute and about 59 failures", r)
	}
}

func TestBadDecisionsAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		`{"cell":"a","world":0,"t":1,"weight":2}`:                         "weight",
		`{"cell":"a","world":0,"t":1,"weight":0.1,"state":"great"}`:       "state",
		`{"cell":"a","world":-1,"t":1,"weight":0.1}`:                      "world",
		`{"cell":"a","surprise":1}`:                                       "surprise",
		`{"cell":"a","t":5,"weight":0.1} {"cell":"a","t":4,"weight":0.1}`: "goes back",
		`{`: "line 1",
		`{"cell":"a","world":0,"t":1,"weight":0.1}`:                           `no cell is called "a"`,
		`{"cell":"errors-5%/10rps/random/flat","world":1,"t":1,"weight":0.1}`: "world 0 of errors-5%/10rps/random/flat is left out",
	} {
		if _, err := ReadDecisions(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
