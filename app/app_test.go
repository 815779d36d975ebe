package app_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/app"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func parse(t testing.TB, name string) fairlead.App {
	t.Helper()
	parsed, err := app.Parse(name, read(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestATenLineFileIsComplete(t *testing.T) {
	if lines := bytes.Count(read(t, "ten-lines.yaml"), []byte("\n")); lines != 10 {
		t.Fatalf("the file has %d lines", lines)
	}
	got := app.Complete(parse(t, "ten-lines.yaml"))
	if err := app.Check(got); err != nil {
		t.Fatal(err)
	}
	holdback := fairlead.Percent(5)
	second := fairlead.Duration(time.Second)
	want := fairlead.App{
		APIVersion: "fairlead.dev/v1", Kind: "App", Metadata: fairlead.Metadata{Name: "triage"},
		Spec: fairlead.AppSpec{
			Artifact: fairlead.Artifact{Directory: "."}, Command: []string{"bin/triage"}, Port: 8080,
			Readiness: &fairlead.Check{Path: "/", Interval: second, Timeout: second, Failures: 3, Deadline: 60 * second},
			Drain:     30 * second, RunLimit: 30 * second, Timeout: 30 * second,
			Model: []string{"model/weights.json"}, Prompt: []string{"prompt.txt"},
			Assignment: fairlead.Assignment{By: "session", Name: "fairlead_session"},
			Route:      fairlead.Route{Host: "triage.localhost", PathPrefix: "/"},
			Environments: []fairlead.Environment{{
				Name: "production", Replicas: 1, Sandbox: "preferred",
				Route: fairlead.Route{Host: "triage.localhost", PathPrefix: "/"},
				Strategy: fairlead.Strategy{
					Type: "canary", Alpha: 1.0 / 300, Beta: 0.05, Tolerance: 1,
					Margin: fairlead.Margin{Ratio: 2, Absolute: 0.01}, Steps: []fairlead.Percent{10, 50},
					Warmup: 5 * second, MinStep: 5 * second, MaxStep: 3600 * second,
					OnInconclusive: "hold", RollbackWindow: 1800 * second, Holdback: &holdback,
				},
			}},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("completed:\n%+v\nwant:\n%+v", got, want)
	}
}

func TestAFullFileKeepsWhatItSays(t *testing.T) {
	got := app.Complete(parse(t, "full.yaml")).Spec
	production := got.Environments[2]
	for _, check := range []struct {
		what      string
		got, want any
	}{
		{"ref", got.Artifact.Git.Ref, "v7"},
		{"build timeout", got.Artifact.Git.Timeout.D(), 10 * time.Minute},
		{"an empty variable", got.Env["EMPTY"], ""},
		{"run limit", got.RunLimit.D(), 2 * time.Hour},
		{"health interval", got.Health.Interval.D(), 10 * time.Second},
		{"health has no deadline", got.Health.Deadline.D(), time.Duration(0)},
		{"gate timeout", got.Gates[0].Timeout.D(), 5 * time.Minute},
		{"secret version", got.Secrets[1].Version, 3},
		{"dev host", got.Environments[0].Route.Host, "dev.triage.example"},
		{"dev prefix", got.Environments[0].Route.PathPrefix, "/v1"},
		{"production host", production.Route.Host, "triage.example"},
		{"no holdback", *got.Environments[1].Strategy.Holdback, fairlead.Percent(0)},
		{"blue-green has no steps", len(got.Environments[1].Strategy.Steps), 0},
		{"adaptive has no steps", len(production.Strategy.Steps), 0},
		{"adaptive first", production.Strategy.Adaptive.First, fairlead.Percent(1)},
	} {
		if !reflect.DeepEqual(check.got, check.want) {
			t.Errorf("%s: %v, want %v", check.what, check.got, check.want)
		}
	}
}

func TestCompleteLeavesItsArgumentAloneAndMayBeApplied(t *testing.T) {
	for _, name := range []string{"ten-lines.yaml", "full.yaml"} {
		before := parse(t, name)
		once := app.Complete(before)
		if !reflect.DeepEqual(before, parse(t, name)) {
			t.Errorf("%s: Complete changed its argument", name)
		}
		if twice := app.Complete(once); !reflect.DeepEqual(once, twice) {
			t.Errorf("%s: completing twice differs:\n%+v\n%+v", name, once, twice)
		}
	}
}

func TestJSONIsReadToo(t *testing.T) {
	_, err := app.Parse("app.json", []byte("{\n\t\"apiVersion\": \"fairlead.dev/v1\", \"kind\": \"App\",\n\t\"metadata\": {\"name\": \"a\"},\n\t\"spec\": {\"artifact\": {\"directory\": \".\"}, \"command\": [\"a\"]}\n}\n"))
	if err != nil {
		t.Fatal(err)
	}
}

var update = flag.Lookup("update")

func TestParseExplains(t *testing.T) {
	const file = "testdata/wrong.txtar"
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(archive.Files); i += 2 {
		input, want := archive.Files[i], &archive.Files[i+1]
		_, err := app.Parse(input.Name, input.Data)
		if err == nil {
			t.Errorf("%s is read without an error", input.Name)
			continue
		}
		if fairlead.CodeOf(err) != fairlead.Invalid || fairlead.HintOf(err) == "" {
			t.Errorf("%s: code %s, hint %q", input.Name, fairlead.CodeOf(err), fairlead.HintOf(err))
		}
		got := err.Error() + "\n"
		if update.Value.String() == "true" {
			want.Data = []byte(got)
		} else if got != string(want.Data) {
			t.Errorf("%s:\n%s\nwant:\n%s", input.Name, got, want.Data)
		}
	}
	if update.Value.String() == "true" {
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestParseRefusesWhatIsNotOneSmallTextFile(t *testing.T) {
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"too large":     {bytes.Repeat([]byte("# comment\n"), app.MaxFile/10+1), "at most 1048576"},
		"not UTF-8":     {[]byte("apiVersion: fairlead.dev/v1\nkind: \xff\n"), "f:2:7: this is not UTF-8 text"},
		"UTF-16":        {[]byte("\xff\xfea\x00:\x00"), "not UTF-8"},
		"control bytes": {[]byte("apiVersion: \x00"), "not YAML"},
		"deep":          {bytes.Repeat([]byte("["), 100_000), "not YAML"},
		"nothing":       {nil, "empty"},
	} {
		if _, err := app.Parse("f", c.data); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestAnErrorListsAtMostTenProblems(t *testing.T) {
	data := "apiVersion: fairlead.dev/v1\nkind: App\n" + strings.Repeat("x: 1\n", 3)
	for c := 'a'; c <= 'z'; c++ {
		data += "field" + string(c) + ": 1\n"
	}
	_, err := app.Parse("f", []byte(data))
	var problems app.Problems
	if !errors.As(err, &problems) || len(problems) != app.MaxProblems {
		t.Errorf("%d problems: %v", len(problems), err)
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"ten-lines.yaml", "full.yaml"} {
		f.Add(read(f, name))
	}
	archive, err := txtar.ParseFile("testdata/wrong.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range archive.Files {
		f.Add(file.Data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		parsed, err := app.Parse("f", data)
		if err != nil {
			var problems app.Problems
			if !errors.As(err, &problems) || len(problems) == 0 || len(problems) > app.MaxProblems {
				t.Fatalf("an error without its problems: %v", err)
			}
			return
		}
		if err := app.Check(app.Complete(parsed)); err != nil {
			t.Fatalf("Parse accepts what Check refuses: %v", err)
		}
	})
}

func TestAReportedSignalHasTheMarginsOfItsStrategyOrOneOfItsOwn(t *testing.T) {
	for name, test := range map[string]struct {
		strategy fairlead.Margin
		signal   fairlead.Margin
		want     fairlead.Margin
	}{
		"nothing is said":      {want: fairlead.Margin{Ratio: 1.25, Absolute: 0.01}},
		"of the strategy":      {strategy: fairlead.Margin{Ratio: 3, Absolute: 0.05}, want: fairlead.Margin{Ratio: 3, Absolute: 0.05}},
		"of the signal itself": {strategy: fairlead.Margin{Ratio: 3}, signal: fairlead.Margin{Ratio: 1.5}, want: fairlead.Margin{Ratio: 1.5, Absolute: 0.01}},
	} {
		t.Run(name, func(t *testing.T) {
			spec := fairlead.AppSpec{Environments: []fairlead.Environment{{Name: "production", Strategy: fairlead.Strategy{
				Margin: test.strategy, Signals: []fairlead.SignalSpec{{Name: "refusal", Margin: test.signal}},
			}}}}
			once := app.Complete(fairlead.App{Spec: spec})
			for _, done := range []fairlead.App{once, app.Complete(once)} {
				if got := done.Spec.Environments[0].Strategy.Signals[0].Margin; got != test.want {
					t.Errorf("margins %+v, want %+v", got, test.want)
				}
			}
		})
	}
}
