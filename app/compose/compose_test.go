package compose_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/app"
	"github.com/fairlead/fairlead/app/compose"
)

// appOf returns the App of a service.
func appOf(t *testing.T, i compose.Imported, name string) fairlead.AppSpec {
	t.Helper()
	for _, s := range i.Services {
		if s.Name == name {
			parsed, err := app.Parse(s.File, []byte(s.Text()))
			if err != nil {
				t.Fatalf("the App of %s (%s): %v", name, s.Left, err)
			}
			return parsed.Spec
		}
	}
	t.Fatalf("there is no service %s", name)
	return fairlead.AppSpec{}
}

func TestVariablesComeFromTheEnvironmentAndThenFromTheFile(t *testing.T) {
	imported, err := importIn(t, map[string]string{
		"compose.yaml": "services: {web: {image: 'a:$TAG', environment: {BOTH: $BOTH, FILE: $FILE, NONE: '$NONE', STANDARD: '${NONE:-x}', DOLLAR: '$$HOME', ALONE: }}}\n",
		".env":         "BOTH=file\nFILE=file\nALONE=alone\n",
	}, "BOTH=caller", "TAG=3")
	if err != nil {
		t.Fatal(err)
	}
	spec := appOf(t, imported, "web")
	want := map[string]string{"BOTH": "caller", "FILE": "file", "NONE": "", "STANDARD": "x", "DOLLAR": "$HOME", "ALONE": "alone"}
	for name, value := range want {
		if got, set := spec.Env[name]; got != value || !set {
			t.Errorf("%s is %q (%v), want %q", name, got, set, value)
		}
	}
	if spec.Artifact.Image != "a:3" {
		t.Errorf("the image is %q, want a:3", spec.Artifact.Image)
	}
	if !slices.Equal(imported.Missing, []string{"NONE"}) || imported.Complete() {
		t.Errorf("missing are %q, complete %v; want NONE, which is not complete", imported.Missing, imported.Complete())
	}
}

func TestAPlainServiceIsCarriedOverWhole(t *testing.T) {
	imported, err := importIn(t, map[string]string{"compose.yaml": "services: {web: {image: 'team/web:3', ports: ['8000:8000'], environment: {A: b}, restart: always, read_only: true}}\n"})
	if err != nil || !imported.Complete() {
		t.Errorf("complete %v, %v, want all carried over: %+v", imported.Complete(), err, imported.Services)
	}
}

func TestLaterFilesAndIncludedAndExtendedOnesAreFollowed(t *testing.T) {
	dir := lay(t, map[string]string{
		"compose.yaml":     "include: [db/compose.yaml]\nservices:\n  web: {extends: {file: base.yaml, service: base}, ports: ['80:8000']}\n",
		"base.yaml":        "services:\n  base: {image: 'team/base:1', environment: {FROM: base}}\n",
		"db/compose.yaml":  "services:\n  search: {image: 'team/search:1', env_file: search.env}\n",
		"db/search.env":    "DEPTH=3\n",
		"compose.gpu.yaml": "services:\n  web: {image: 'team/gpu:2', gpus: all}\n",
	})
	imported, err := compose.Import(t.Context(), compose.Options{Files: []string{filepath.Join(dir, "compose.yaml"), filepath.Join(dir, "compose.gpu.yaml")}})
	if err != nil {
		t.Fatal(err)
	}
	web := appOf(t, imported, "web")
	if web.Artifact.Image != "team/gpu:2" || web.Env["FROM"] != "base" || web.Port != 8000 || web.Resources.GPU == nil {
		t.Errorf("web is %+v", web)
	}
	if search := appOf(t, imported, "search"); search.Env["DEPTH"] != "3" {
		t.Errorf("search is %+v", search)
	}
}

func TestAnOverrideThatComposeWouldMergeIsTold(t *testing.T) {
	imported, err := importIn(t, map[string]string{"compose.yaml": "services: {web: {image: a}}\n", "compose.override.yaml": "services: {web: {image: b}}\n"})
	if err != nil {
		t.Fatal(err)
	}
	told := slices.ContainsFunc(imported.Notes, func(n compose.Note) bool { return n.Kind == compose.Lost && n.What == "compose.override.yaml" })
	if !told {
		t.Errorf("notes are %+v", imported.Notes)
	}
}

func TestFilesThatAreThereStayUnlessForced(t *testing.T) {
	dir := lay(t, map[string]string{"compose.yaml": "services: {a: {image: a}, b: {image: b}}\n", "b.fairlead.yaml": "mine\n"})
	imported, err := compose.Import(t.Context(), compose.Options{Files: []string{filepath.Join(dir, "compose.yaml")}})
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		data, _ := os.ReadFile(filepath.Join(dir, name))
		return string(data)
	}
	if err := imported.Write(false); fairlead.CodeOf(err) != fairlead.Conflict || !strings.Contains(err.Error(), "b.fairlead.yaml") {
		t.Errorf("over a file that is there: %v, want a conflict that names it", err)
	}
	if read("a.fairlead.yaml") != "" || read("b.fairlead.yaml") != "mine\n" {
		t.Error("something was written beside the error")
	}
	if err := imported.Write(true); err != nil {
		t.Fatal(err)
	}
	if read("a.fairlead.yaml") != imported.Services[0].Text() || read("b.fairlead.yaml") != imported.Services[1].Text() {
		t.Error("the forced files are not what was made")
	}
}

func TestAPathAboveTheAppFileNamesTheDirectoryThatWouldDo(t *testing.T) {
	dir := lay(t, map[string]string{"deploy/compose.yaml": "services: {web: {build: ../web}}\n"})
	file := filepath.Join(dir, "deploy", "compose.yaml")
	_, err := compose.Import(t.Context(), compose.Options{Files: []string{file}})
	if err == nil || !strings.Contains(fairlead.HintOf(err), "--out") {
		t.Errorf("error %v, hint %q, want --out named", err, fairlead.HintOf(err))
	}
	imported, err := compose.Import(t.Context(), compose.Options{Files: []string{file}, Out: dir})
	if err != nil {
		t.Fatal(err)
	}
	if got := appOf(t, imported, "web").Artifact.Dockerfile; got != "web/Dockerfile" {
		t.Errorf("the Dockerfile is %q, want web/Dockerfile", got)
	}
}

func TestAnyTextOfAVariableIsReadBackAsItWas(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		value := rapid.StringMatching(`[ -~äß\n\t]{0,40}`).Draw(r, "value")
		dir := t.TempDir()
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`, "$", "$$").Replace(value)
		file := filepath.Join(dir, "compose.yaml")
		if err := os.WriteFile(file, []byte("services: {web: {image: a, environment: {NOTE: \""+quoted+"\"}}}\n"), 0o600); err != nil {
			r.Fatal(err)
		}
		imported, err := compose.Import(t.Context(), compose.Options{Files: []string{file}})
		if err != nil {
			r.Fatal(err)
		}
		spec := appOf(t, imported, "web")
		if got, named := spec.Env["NOTE"], len(spec.Secrets) > 0; got != value && !named && len(spec.Network.Reach) == 0 {
			r.Errorf("%q became %q\n%s", value, got, imported.Services[0].Text())
		}
	})
}

func TestAddressesOfOtherServicesBecomeThoseThatAreReachedHere(t *testing.T) {
	const file = `services:
  web:
    image: team/web:1
    environment: {ONE: "$VALUE"}
  api: {image: "team/api:1", ports: ["8000:8000"]}
  db: {image: "postgres:16", ports: ["127.0.0.1:5433:5432"]}
`
	for value, want := range map[string]struct {
		env   string
		reach []string
	}{
		"http://api:8000/v1":                {"http://api.localhost:8080/v1", []string{"api.localhost:8080"}},
		"http://api":                        {"http://api.localhost:8080", []string{"api.localhost:8080"}},
		"api:8000":                          {"api.localhost:8080", []string{"api.localhost:8080"}},
		"postgresql+asyncpg://u@db/shop":    {"postgresql+asyncpg://u@127.0.0.1:5433/shop", []string{"127.0.0.1:5433"}},
		"postgresql+psycopg://u@db.io/shop": {"postgresql+psycopg://u@db.io/shop", []string{"db.io:5432"}},
		"https://api.openai.com/v1":         {"https://api.openai.com/v1", []string{"api.openai.com:443"}},
		"http://host.docker.internal:9/x":   {"http://127.0.0.1:9/x", []string{"127.0.0.1:9"}},
		"http://localhost:8000":             {"http://localhost:8000", nil},
		"http://web:1":                      {"http://web:1", nil},
		"sqlite:///data/shop.db":            {"sqlite:///data/shop.db", nil},
		"file:///etc/hosts":                 {"file:///etc/hosts", nil},
		"the api is slow":                   {"the api is slow", nil},
		"http://api:8000,http://other.io:9": {"http://api.localhost:8080,http://other.io:9", []string{"api.localhost:8080", "other.io:9"}},
	} {
		imported, err := importIn(t, map[string]string{"compose.yaml": file}, "VALUE="+value)
		if err != nil {
			t.Fatal(err)
		}
		spec := appOf(t, imported, "web")
		if spec.Env["ONE"] != want.env || !slices.Equal(spec.Network.Reach, want.reach) {
			t.Errorf("%s became %q and reaches %q, want %q and %q", value, spec.Env["ONE"], spec.Network.Reach, want.env, want.reach)
		}
	}
}
