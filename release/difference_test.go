package release

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead"
)

// blobs is a content store in memory.
type blobs map[fairlead.Digest]string

// file puts content and returns the file that holds it.
func (b blobs) file(path, content string) File {
	digest := fairlead.DigestOf([]byte(content))
	b[digest] = content
	return File{Path: path, Bytes: int64(len(content)), Digest: digest}
}

func (b blobs) read(_ context.Context, digest fairlead.Digest, limit int64) ([]byte, error) {
	content, ok := b[digest]
	if !ok || int64(len(content)) > limit {
		return nil, fairlead.Errorf(fairlead.NotFound, "", "%s of at most %d bytes is not there", digest, limit)
	}
	return []byte(content), nil
}

// side is a release of the triage app with files; those under prompt/, config/ and model/ are
// named as such.
func side(number int, files ...File) Side {
	s := Side{Release: fairlead.Release{App: "triage", Number: number, Content: fairlead.Content{Command: []string{"./triage"}, Port: 8080, Files: map[string]fairlead.Digest{}}}, Files: files}
	for _, f := range files {
		if kind, _, ok := strings.Cut(f.Path, "/"); ok && slices.Contains(kinds(), kind) {
			s.Content.Files[kind+"/"+f.Path] = f.Digest
		}
	}
	return s
}

func differ(t *testing.T, b blobs, before, after Side) Difference {
	t.Helper()
	d := Compare(before, after)
	if err := Texts(t.Context(), &d, b.read); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d Difference) part(name string) PartChange {
	return d.Parts[slices.IndexFunc(d.Parts, func(p PartChange) bool { return p.Part == name })]
}

func TestADifferenceHasAllPartsInTheirOrder(t *testing.T) {
	var names []string
	for _, p := range Compare(side(1), side(2)).Parts {
		names = append(names, p.Part)
	}
	if got := strings.Join(names, " "); got != "artifact model prompt config command settings secrets gates policy commit" {
		t.Error(got)
	}
}

func TestFilesAreComparedByTheirContentInThePartThatNamesThem(t *testing.T) {
	b := blobs{}
	before := side(1, b.file("bin/run", "\x00old"), b.file("config/a.json", "{}\n"), b.file("model/w.bin", "weights"), b.file("notes", "same"), b.file("old/name", "moved"), b.file("prompt/p.txt", "Hello\n"))
	after := side(2, b.file("bin/run", "\x00new"), b.file("config/a.json", "{}\n"), b.file("model/w.bin", "heavier"), b.file("new/name", "moved"), b.file("notes", "same"), b.file("prompt/p.txt", "Hello there\n"), b.file("prompt/q.txt", "New\n"))
	d := differ(t, b, before, after)
	var got []string
	for _, p := range d.Parts {
		for _, f := range p.Files {
			got = append(got, fmt.Sprintf("%s %s %s%s %q %q", p.Part, f.Change, f.Was, f.Path, f.Diff, f.NoDiff))
		}
		for _, v := range p.Values {
			got = append(got, fmt.Sprintf("%s %+v", p.Part, v))
		}
	}
	want := []string{
		`artifact changed bin/run "" "it is not text"`,
		`artifact renamed old/namenew/name "" ""`,
		`model changed model/w.bin "" "a model is compared by its digest"`,
		`prompt changed prompt/p.txt "@@ -1 +1 @@\n-Hello\n+Hello there\n" ""`,
		`prompt added prompt/q.txt "@@ -0,0 +1 @@\n+New\n" ""`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if d.part("config").Change != Same || d.part("prompt").Change != Changed {
		t.Errorf("%+v", d.Parts)
	}
}

func TestModesAndLinksAreToldOf(t *testing.T) {
	b := blobs{}
	plain := b.file("run", "x\n")
	program := plain
	program.Executable = true
	link, other := File{Path: "run", Link: "a"}, File{Path: "run", Link: "b"}
	for want, c := range map[string][2]Side{
		"it may be executed now":       {side(1, plain), side(2, program)},
		"it may no longer be executed": {side(1, program), side(2, plain)},
		"a link to b, before to a":     {side(1, link), side(2, other)},
		"a link to a; it was a file":   {side(1, plain), side(2, link)},
		"a file; it was a link to a":   {side(1, link), side(2, plain)},
		"a link to a":                  {side(1), side(2, link)},
	} {
		if d := differ(t, b, c[0], c[1]); len(d.part("artifact").Files) != 1 || d.part("artifact").Files[0].Note != want {
			t.Errorf("want %q of %+v", want, d.part("artifact"))
		}
	}
}

func TestAFileThatIsNamedLaterIsSaidToBe(t *testing.T) {
	b := blobs{}
	f := b.file("words", "Hello\n")
	before, after := side(1, f), side(2, f)
	after.Content.Files["prompt/words"] = f.Digest
	d := differ(t, b, before, after)
	if p := d.part("prompt"); len(p.Files) != 0 || len(p.Values) != 1 || p.Values[0] != (ValueChange{Name: "words", Change: Added, After: "named as prompt"}) {
		t.Errorf("%+v", p)
	}
	if d.part("artifact").Change != Same {
		t.Errorf("the file is said to be gone: %+v", d.part("artifact"))
	}
}

func TestValuesAreComparedByName(t *testing.T) {
	before, after := side(1), side(2)
	before.Content.Env = map[string]string{"LEVEL": "info", "GONE": "1"}
	after.Content.Env = map[string]string{"LEVEL": "debug", "EMPTY": ""}
	before.Content.EnvIn = map[string]map[string]string{"qa": {"REGION": "a"}}
	after.Content.EnvIn = map[string]map[string]string{"qa": {"REGION": "b"}}
	before.Content.Secrets = map[string]map[string]int{"qa": {"key": 1}, "production": {"key": 4}}
	after.Content.Secrets = map[string]map[string]int{"qa": {"key": 2}, "production": {"key": 4}}
	after.Content.Command = []string{"./triage", "say", "two words", "", `a"b`}
	before.Content.Gates = []fairlead.Gate{{Name: "accuracy", Command: []string{"./eval"}, Expires: fairlead.Duration(time.Hour)}}
	after.Content.Gates = []fairlead.Gate{{Name: "accuracy", Command: []string{"./eval", "-hard"}, Expires: fairlead.Duration(time.Hour)}, {Name: "bias", Command: []string{"./bias"}}}
	before.Policy = []fairlead.Environment{{Name: "qa", Replicas: 1}}
	after.Policy = []fairlead.Environment{{Name: "qa", Replicas: 2, Strategy: fairlead.Strategy{Steps: []fairlead.Percent{10, 50}}}}
	after.Source = &fairlead.Commit{Repository: "r", Ref: "main", Hash: "abc"}
	var got []string
	for _, p := range Compare(before, after).Parts {
		for _, v := range p.Values {
			got = append(got, fmt.Sprintf("%s: %s %s [%s] [%s]", p.Part, v.Change, v.Name, v.Before, v.After))
		}
	}
	want := []string{
		`command: changed command [./triage] [./triage say "two words" "" "a\"b"]`,
		`settings: added env.EMPTY [] [""]`,
		`settings: changed env.LEVEL [info] [debug]`,
		`settings: changed env in qa.REGION [a] [b]`,
		`settings: removed env.GONE [1] []`,
		`secrets: changed qa/key [version 1] [version 2]`,
		`gates: changed names [accuracy] [accuracy, bias]`,
		`gates: changed accuracy.command [./eval] [./eval -hard]`,
		`gates: added bias.command [] [./bias]`,
		`policy: changed qa.replicas [1] [2]`,
		`policy: added qa.strategy.steps [] [10 %, 50 %]`,
		`commit: added repository [] [r]`,
		`commit: added ref [] [main]`,
		`commit: added commit [] [abc]`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestValuesAreWrittenWithTheirUnits(t *testing.T) {
	holdback, least, protect := fairlead.Percent(12.5), 0.25, true
	after := side(1)
	after.Content.Env = map[string]string{"LIMIT": "1m0s"}
	after.Content.Drain, after.Content.Port = fairlead.Duration(90*time.Second), 8080
	after.Content.Gates = []fairlead.Gate{{Name: "accuracy", Command: []string{"./eval", "1m0s"}, Expires: fairlead.Duration(24 * time.Hour)}}
	after.Policy = []fairlead.Environment{{Name: "qa", Strategy: fairlead.Strategy{
		Alpha: 1.0 / 300, Beta: 0.15, Tolerance: 1, Margin: fairlead.Margin{Ratio: 2, Absolute: 0.01}, Warmup: fairlead.Duration(500 * time.Millisecond),
		Holdback: &holdback, Adaptive: &fairlead.Adaptive{First: 5}, Signals: []fairlead.SignalSpec{{Name: "task-success", Protect: &protect, Margin: fairlead.Margin{Absolute: 0.07}}},
		Guards: []fairlead.Guard{{Name: "queue", Min: &least, Interval: fairlead.Duration(15 * time.Second)}},
	}}}
	got := map[string]string{}
	for _, part := range []string{PartSettings, PartGates, PartPolicy} {
		for _, v := range values(after.Release, part) {
			got[v.name] = v.text
		}
	}
	for name, want := range map[string]string{
		"env.LIMIT": "1m0s", "drain": "1 min 30 s", "port": "8080", "accuracy.command": "./eval 1m0s", "accuracy.expires": "24 h",
		"qa.strategy.alpha": "1 in 300", "qa.strategy.beta": "0.15", "qa.strategy.tolerance": "1", "qa.strategy.margin.ratio": "2",
		"qa.strategy.margin.absolute": "1 percentage point", "qa.strategy.warmup": "500 ms", "qa.strategy.holdback": "12.5 %",
		"qa.strategy.adaptive.first": "5 %", "qa.strategy.signals.task-success.margin.absolute": "7 percentage points",
		"qa.strategy.signals.task-success.protect": "true", "qa.strategy.guards.queue.min": "0.25", "qa.strategy.guards.queue.interval": "15 s",
	} {
		if got[name] != want {
			t.Errorf("%s is written %q, want %q", name, got[name], want)
		}
	}
}

// anyContent draws a content of everything that can differ.
func anyContent() *rapid.Generator[fairlead.Content] {
	word := rapid.SampledFrom([]string{"", "a", "b", "a b", "a, b", `"a"`, "\n", "{}"})
	words := rapid.SliceOfN(word, 0, 3)
	variables := rapid.MapOfN(rapid.SampledFrom([]string{"A", "B"}), word, 0, 2)
	second := rapid.Map(rapid.IntRange(0, 2), func(n int) fairlead.Duration { return fairlead.Duration(time.Duration(n) * time.Second) })
	return rapid.Custom(func(t *rapid.T) fairlead.Content {
		c := fairlead.Content{
			Command: words.Draw(t, "command"), Port: rapid.IntRange(0, 2).Draw(t, "port"), Env: variables.Draw(t, "env"),
			EnvIn: rapid.MapOfN(rapid.SampledFrom([]string{"qa", "production"}), variables, 0, 2).Draw(t, "envIn"), Drain: second.Draw(t, "drain"),
			Readiness: fairlead.Check{Path: word.Draw(t, "path"), Interval: second.Draw(t, "interval")},
			Network:   fairlead.Network{Reach: words.Draw(t, "reach")}, Resources: fairlead.Resources{CPU: word.Draw(t, "cpu")},
			Secrets: map[string]map[string]int{"qa": {"key": rapid.IntRange(1, 2).Draw(t, "secret")}},
		}
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"x", "y"}), 0, 2, rapid.ID[string]).Draw(t, "gates") {
			c.Gates = append(c.Gates, fairlead.Gate{Name: name, Command: words.Draw(t, "gate"), Environments: words.Draw(t, "environments")})
		}
		if rapid.Bool().Draw(t, "health") {
			c.Health = &fairlead.Check{Failures: rapid.IntRange(0, 1).Draw(t, "failures")}
		}
		return c
	})
}

// canonical is what a content's difference can tell of: an empty map or list is none.
func canonical(c fairlead.Content) string {
	maps.DeleteFunc(c.EnvIn, func(_ string, v map[string]string) bool { return len(v) == 0 })
	if len(c.Command) == 0 {
		c.Command = nil
	}
	for i := range c.Gates {
		if len(c.Gates[i].Command) == 0 {
			c.Gates[i].Command = nil
		}
	}
	data, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	return string(data)
}

// empty reports whether nothing changed.
func empty(d Difference) bool {
	return !slices.ContainsFunc(d.Parts, func(p PartChange) bool { return p.Change != Same })
}

func TestADifferenceIsEmptyExactlyWhenTheContentsAreEqual(t *testing.T) {
	contents := anyContent()
	rapid.Check(t, func(t *rapid.T) {
		before, after := side(1), side(2)
		before.Content, after.Content = contents.Draw(t, "before"), contents.Draw(t, "after")
		if d := Compare(before, after); empty(d) != (canonical(before.Content) == canonical(after.Content)) {
			t.Fatalf("empty: %t of\n%s\n%s", empty(d), canonical(before.Content), canonical(after.Content))
		}
		again := before
		again.Number = 2
		if d := Compare(before, again); !empty(d) {
			t.Fatalf("a release differs from its equal: %+v", d)
		}
	})
}

func TestThoseThatDifferInOneSettingDiffer(t *testing.T) {
	contents := anyContent()
	rapid.Check(t, func(t *rapid.T) {
		before, after := side(1), side(2)
		before.Content = contents.Draw(t, "content")
		after.Content = before.Content
		after.Content.Timeout = fairlead.Duration(time.Second)
		d := Compare(before, after)
		if p := d.part("settings"); len(p.Values) != 1 || p.Values[0].Name != "timeout" {
			t.Fatalf("%+v", d)
		}
	})
}

func TestTheBoundsOfADifferenceHold(t *testing.T) {
	b := blobs{}
	var before, after []File
	for i := range 5000 {
		before = append(before, b.file(fmt.Sprintf("data/%05d", i), fmt.Sprintf("old %d\n", i)))
		after = append(after, b.file(fmt.Sprintf("data/%05d", i), fmt.Sprintf("new %d\n", i)))
	}
	wide := strings.Repeat(strings.Repeat("x", 99)+"\n", 2600)
	for i := range 40 {
		path := fmt.Sprintf("prompt/%02d.txt", i)
		before = append(before, b.file(path, fmt.Sprint(i, wide)))
		after = append(after, b.file(path, fmt.Sprint(i, strings.ReplaceAll(wide, "x", "y"))))
	}
	after = append(after, b.file("prompt/large", strings.Repeat("x\n", maxText)))
	d := differ(t, b, side(1, before...), side(2, after...))
	p := d.part("artifact")
	if len(p.Files) != maxListed || p.More != 5000-maxListed {
		t.Errorf("%d are listed, and %d more", len(p.Files), p.More)
	}
	total, none := 0, map[string]int{}
	for _, part := range d.Parts {
		for _, f := range part.Files {
			total += len(f.Diff)
			none[f.NoDiff]++
			if f.Diff != "" && len(f.Diff) > maxDiff {
				t.Errorf("the diff of %s has %d bytes", f.Path, len(f.Diff))
			}
		}
	}
	if total > maxDiffs+maxDiff || none["too much text changed with it"] == 0 || none["it is larger than 256 KiB"] != 1 {
		t.Errorf("%d bytes of diffs; %v", total, none)
	}
	if f := d.part("prompt").Files[0]; f.Diff == "" || f.Cut == 0 {
		t.Errorf("the first prompt: %d bytes, %d lines are left out", len(f.Diff), f.Cut)
	}
}

func TestWhatIsNoTextOrHasEndlessLinesIsNotShownLineByLine(t *testing.T) {
	b := blobs{}
	for name, c := range map[string]struct{ before, after, want string }{
		"bytes that are no UTF-8": {"a\n", "\xff\xfe\n", "it is not text"},
		"a NUL":                   {"a\x00", "b", "it is not text"},
		"one endless line":        {"a", strings.Repeat("a", 200<<10), "it has a line of more than 8 KiB"},
		"an endless line beside":  {strings.Repeat("a", 9<<10) + "\nb\n", strings.Repeat("a", 9<<10) + "\nc\n", "it has a line of more than 8 KiB"},
		"line ends":               {"a\r\n", "a\n", ""},
	} {
		d := differ(t, b, side(1, b.file("config/x", c.before)), side(2, b.file("config/x", c.after)))
		if f := d.part("config").Files[0]; f.NoDiff != c.want || (f.Diff == "") == (c.want == "") {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// kept is contents over sides and blobs.
func kept(b blobs, sides ...Side) *Contents {
	return &Contents{
		Get: func(_ context.Context, app string, number int) (fairlead.Release, error) {
			for _, s := range sides {
				if s.App == app && s.Number == number {
					return s.Release, nil
				}
			}
			return fairlead.Release{}, fairlead.Errorf(fairlead.NotFound, "", "there is no release %s@%d", app, number)
		},
		Tree: func(_ context.Context, tree fairlead.Digest) ([]File, error) {
			for _, s := range sides {
				if s.Content.Artifact == tree {
					return s.Files, nil
				}
			}
			return nil, fmt.Errorf("there is no tree %s", tree)
		},
		Open: func(digest fairlead.Digest) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader([]byte(b[digest]))), nil
		},
	}
}

func TestAReleaseIsComparedWithAnotherOrWithNothing(t *testing.T) {
	b := blobs{}
	one, two := side(1, b.file("prompt/p", "a\n")), side(2, b.file("prompt/p", "b\n"))
	one.Content.Artifact, two.Content.Artifact = "sha256:1", "sha256:2"
	c := kept(b, one, two)
	d, err := c.Difference(t.Context(), "triage", 1, 2)
	if err != nil || d.part("prompt").Files[0].Diff != "@@ -1 +1 @@\n-a\n+b\n" {
		t.Errorf("%+v, %v", d, err)
	}
	if d, err = c.Difference(t.Context(), "triage", 0, 1); err != nil || d.part("prompt").Files[0].Change != Added || d.part("command").Values[0].Change != Added {
		t.Errorf("%+v, %v", d, err)
	}
	for _, wrong := range [][2]int{{2, 2}, {-1, 2}, {1, 0}, {0, 0}, {1, 3}, {3, 1}} {
		_, err := c.Difference(t.Context(), "triage", wrong[0], wrong[1])
		if code := fairlead.CodeOf(err); code != fairlead.Invalid && code != fairlead.NotFound {
			t.Errorf("%v: %v", wrong, err)
		}
	}
}

func TestAFileIsReadAloneIfItIsText(t *testing.T) {
	b := blobs{}
	s := side(1, b.file("bin", "\x00"), b.file("large", strings.Repeat("x", maxText+1)), File{Path: "link", Link: "bin"}, b.file("prompt/p", "Hello\n"))
	c := kept(b, s)
	for path, want := range map[string][2]string{
		"bin": {"", "it is not text"}, "large": {"", "it is larger than 256 KiB"}, "link": {"", "it is a link to bin"}, "prompt/p": {"Hello\n", ""},
	} {
		f, text, why, err := c.Text(t.Context(), "triage", 1, path)
		if err != nil || text != want[0] || why != want[1] || f.Path != path {
			t.Errorf("%s: %q, %q, %+v, %v", path, text, why, f, err)
		}
	}
	if _, _, _, err := c.Text(t.Context(), "triage", 1, "../secret"); fairlead.CodeOf(err) != fairlead.NotFound {
		t.Error(err)
	}
	l, err := c.List(t.Context(), "triage", 1, 2)
	if err != nil || l.Count != 4 || len(l.Files) != 3 || l.Files[0].Path != "prompt/p" || l.Files[0].Kinds[0] != "prompt" || l.Files[2].Path != "large" {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestOneFileIsRenamedOnceAndAnEmptyOneNotAtAll(t *testing.T) {
	b := blobs{}
	before := side(1, b.file("empty", ""), b.file("old", "moved"))
	after := side(2, b.file("copy", "moved"), b.file("hollow", ""), b.file("new", "moved"))
	var got []string
	for _, f := range Compare(before, after).part(PartArtifact).Files {
		got = append(got, f.Change+" "+f.Was+">"+f.Path)
	}
	if want := "renamed old>copy, removed >empty, added >hollow, added >new"; strings.Join(got, ", ") != want {
		t.Errorf("it tells %s, want %s", strings.Join(got, ", "), want)
	}
}
