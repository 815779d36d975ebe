package compose_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/app"
	"github.com/fairlead/fairlead/app/compose"
)

var rewrite = flag.Bool("rewrite", false, "write what the corpus becomes to testdata")

// told writes what became of a compose file, for people who read the corpus.
func told(i compose.Imported) string {
	var text strings.Builder
	for _, s := range i.Services {
		fmt.Fprintf(&text, "== %s\n", s.Name)
		if s.Left != "" {
			fmt.Fprintf(&text, "no App: %s\n\n", s.Left)
			continue
		}
		fmt.Fprintf(&text, "carried %s\n", strings.Join(s.Carried, " "))
		for _, n := range s.Notes {
			fmt.Fprintf(&text, "%s %d %s: %s\n", n.Kind, n.Line, n.What, n.Why)
			if n.Instead != "" {
				fmt.Fprintf(&text, "   -> %s\n", n.Instead)
			}
		}
		for _, secret := range s.Secrets {
			fmt.Fprintf(&text, "secret %s of %s: %s\n", secret.Name, secret.Of, secret.Command)
		}
		fmt.Fprintf(&text, "-- %s\n%s\n", filepath.Base(s.File), s.Text())
	}
	fmt.Fprintf(&text, "== all\nmissing %s\n", strings.Join(i.Missing, " "))
	for _, n := range i.Notes {
		fmt.Fprintf(&text, "%s %d %s: %s\n", n.Kind, n.Line, n.What, n.Why)
	}
	return text.String()
}

func TestRealComposeFilesBecomeAppsThatFairleadReads(t *testing.T) {
	cases, err := filepath.Glob("testdata/*/compose.yaml")
	if err != nil || len(cases) < 4 {
		t.Fatalf("the corpus is %v, %v", cases, err)
	}
	for _, file := range cases {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			imported, err := compose.Import(t.Context(), compose.Options{Files: []string{file}})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range imported.Services {
				checkApp(t, s)
			}
			got, golden := told(imported), filepath.Join(filepath.Dir(file), "want.txt")
			if *rewrite {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s became something else than %s says (-rewrite writes it anew):\n%s", file, golden, got)
			}
		})
	}
}

// checkApp demands that the text of an App file is a right App of the service's name.
func checkApp(t *testing.T, s compose.Service) {
	t.Helper()
	if s.App == "" {
		if s.Left == "" {
			t.Errorf("%s has no App, and nothing says why", s.Name)
		}
		return
	}
	parsed, err := app.Parse(s.File, []byte(s.Text()))
	if err == nil {
		err = app.Check(app.Complete(parsed))
	}
	if err != nil {
		t.Errorf("the App of %s: %v\n%s", s.Name, err, s.Text())
	}
	if parsed.Metadata.Name != s.App || parsed.Kind != fairlead.KindApp {
		t.Errorf("the App of %s is %s %s, want %s", s.Name, parsed.Kind, parsed.Metadata.Name, s.App)
	}
}

func TestNoSecretOfTheCorpusIsInWhatIsWrittenOrTold(t *testing.T) {
	secrets := map[string][]string{
		"web":       {"Tr0ub4dor&3-battery", "9f86d081884c7d659a2f", "hf-9c56cc51b374c3ba"},
		"gpu":       {"hf_abcdefghijklmnopqrstuvwx", "token-abc123-of-nobody"},
		"worker":    {"s3cr3t-Pa55"},
		"nightmare": {"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"},
	}
	for name, values := range secrets {
		file := filepath.Join("testdata", name, "compose.yaml")
		imported, err := compose.Import(t.Context(), compose.Options{Files: []string{file}})
		if err != nil {
			t.Fatal(err)
		}
		all := told(imported)
		for _, value := range values {
			if strings.Contains(all, value) {
				t.Errorf("%s: the secret %q is in what was made of it:\n%s", name, value, all)
			}
		}
	}
}
