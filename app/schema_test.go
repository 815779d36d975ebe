package app_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/txtar"
	"go.yaml.in/yaml/v3"

	"github.com/fairlead/fairlead/app"
)

// schema is the subset of JSON Schema that Schema uses. An unknown keyword fails
// the test: this validator must not pass what it does not understand.
type schema map[string]any

var known = []string{"$schema", "$id", "title", "$ref", "$defs", "type", "description", "default", "properties", "required",
	"additionalProperties", "maxProperties", "propertyNames", "not", "oneOf", "items", "minItems", "maxItems", "enum",
	"pattern", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "examples"}

func (s schema) validate(root schema, value any, path string) (wrong []string) {
	bad := func(format string, args ...any) { wrong = append(wrong, path+": "+fmt.Sprintf(format, args...)) }
	for keyword := range s {
		if !slices.Contains(known, keyword) {
			bad("the test's validator does not know %s", keyword)
		}
	}
	if ref, ok := s["$ref"].(string); ok {
		wrong = append(wrong, schema(root["$defs"].(map[string]any)[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)).validate(root, value, path)...)
	}
	if enum, ok := s["enum"].([]any); ok && !slices.Contains(enum, value) {
		bad("%v is not in %v", value, enum)
	}
	switch v := value.(type) {
	case map[string]any:
		wrong = append(wrong, s.object(root, v, path)...)
	case []any:
		wrong = append(wrong, s.array(root, v, path)...)
	case string:
		pattern, has := s["pattern"].(string)
		if has && !regexp.MustCompile(pattern).MatchString(v) {
			bad("%q does not match %s", v, pattern)
		}
		if most, has := s["maxLength"].(float64); has && utf8.RuneCountInString(v) > int(most) {
			bad("too long")
		}
	case float64:
		wrong = append(wrong, s.number(v, path)...)
	}
	if kind, ok := s["type"].(string); ok && !isType(value, kind) {
		bad("%v is not of type %s", value, kind)
	}
	return wrong
}

func isType(value any, kind string) bool {
	switch v := value.(type) {
	case map[string]any:
		return kind == "object"
	case []any:
		return kind == "array"
	case string:
		return kind == "string"
	case bool:
		return kind == "boolean"
	case float64:
		return kind == "number" || kind == "integer" && v == float64(int64(v))
	}
	return false
}

func (s schema) number(v float64, path string) (wrong []string) {
	for keyword, outside := range map[string]func(limit float64) bool{
		"minimum": func(l float64) bool { return v < l }, "maximum": func(l float64) bool { return v > l },
		"exclusiveMinimum": func(l float64) bool { return v <= l }, "exclusiveMaximum": func(l float64) bool { return v >= l },
	} {
		if limit, ok := s[keyword].(float64); ok && outside(limit) {
			wrong = append(wrong, fmt.Sprintf("%s: %g breaks %s %g", path, v, keyword, limit))
		}
	}
	return wrong
}

func (s schema) array(root schema, v []any, path string) (wrong []string) {
	items, _ := s["items"].(map[string]any)
	for i, item := range v {
		wrong = append(wrong, schema(items).validate(root, item, fmt.Sprintf("%s[%d]", path, i))...)
	}
	if least, ok := s["minItems"].(float64); ok && len(v) < int(least) {
		wrong = append(wrong, path+": too few items")
	}
	if most, ok := s["maxItems"].(float64); ok && len(v) > int(most) {
		wrong = append(wrong, path+": too many items")
	}
	return wrong
}

func (s schema) object(root schema, v map[string]any, path string) (wrong []string) {
	if required, ok := s["required"].([]any); ok {
		for _, name := range required {
			if _, has := v[name.(string)]; !has {
				wrong = append(wrong, path+": misses "+name.(string))
			}
		}
	}
	properties, _ := s["properties"].(map[string]any)
	for name, value := range v {
		if property, ok := properties[name].(map[string]any); ok {
			wrong = append(wrong, schema(property).validate(root, value, path+"."+name)...)
		} else if more, ok := s["additionalProperties"].(map[string]any); ok {
			wrong = append(wrong, schema(more).validate(root, value, path+"."+name)...)
		} else if s["additionalProperties"] == false {
			wrong = append(wrong, path+": unknown "+name)
		}
		if names, ok := s["propertyNames"].(map[string]any); ok {
			wrong = append(wrong, schema(names).validate(root, name, path+"."+name)...)
		}
	}
	if most, ok := s["maxProperties"].(float64); ok && len(v) > int(most) {
		wrong = append(wrong, path+": too many fields")
	}
	if choices, ok := s["oneOf"].([]any); ok {
		fitting := 0
		for _, choice := range choices {
			if len(schema(choice.(map[string]any)).validate(root, v, path)) == 0 {
				fitting++
			}
		}
		if fitting != 1 {
			wrong = append(wrong, fmt.Sprintf("%s: fits %d of its choices", path, fitting))
		}
	}
	if not, ok := s["not"].(map[string]any); ok && len(schema(not).validate(root, v, path)) == 0 {
		wrong = append(wrong, path+": fields that exclude each other")
	}
	return wrong
}

func load(t *testing.T) schema {
	t.Helper()
	var s schema
	if err := json.Unmarshal(app.Schema(), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// plain reads YAML as JSON would have it.
func plain(t *testing.T, data []byte) any {
	t.Helper()
	var value any
	if err := yaml.Unmarshal(data, &value); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var again any
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	return again
}

func TestTheSchemaAcceptsTheExamples(t *testing.T) {
	s := load(t)
	for _, name := range []string{"ten-lines.yaml", "full.yaml"} {
		if wrong := s.validate(s, plain(t, read(t, name)), "file"); len(wrong) > 0 {
			t.Errorf("%s: %s", name, strings.Join(wrong, "\n"))
		}
	}
}

func TestTheSchemaTakesWhatGoesWithAnArtifactAndNotTwoOfThem(t *testing.T) {
	s := load(t)
	for artifact, right := range map[string]bool{
		"{image: a, credentials: c}": true,
		"{dockerfile: d, context: ., target: serve, buildArgs: {PORT: \"80\"}}": true,
		"{dockerfile: d, context: .}":                                           true,
		"{image: a, archive: b}":                                                false,
		"{context: .}":                                                          false,
		"{}":                                                                    false,
	} {
		file := "apiVersion: fairlead.dev/v1\nkind: App\nmetadata: {name: a}\nspec: {artifact: " + artifact + "}\n"
		if wrong := s.validate(s, plain(t, []byte(file)), "file"); (len(wrong) == 0) != right {
			t.Errorf("%s: %v", artifact, wrong)
		}
	}
}

func TestTheExamplesOfTheRepositoryAreComplete(t *testing.T) {
	s := load(t)
	files, err := filepath.Glob("../examples/*/fairlead.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := app.Parse(file, data); err != nil {
			t.Error(err)
		}
		if wrong := s.validate(s, plain(t, data), file); len(wrong) > 0 {
			t.Errorf("the schema refuses it: %s", strings.Join(wrong, "\n"))
		}
	}
}

func TestTheSchemaAcceptsACompletedAppAsJSON(t *testing.T) {
	s := load(t)
	for _, name := range []string{"ten-lines.yaml", "full.yaml"} {
		completed := app.Complete(parse(t, name))
		text, err := json.Marshal(completed)
		if err != nil {
			t.Fatal(err)
		}
		if wrong := s.validate(s, plain(t, text), "file"); len(wrong) > 0 {
			t.Errorf("%s: %s", name, strings.Join(wrong, "\n"))
		}
		again, err := app.Parse(name, text)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(app.Complete(again), completed) {
			t.Errorf("%s does not survive JSON:\n%+v\n%+v", name, app.Complete(again), completed)
		}
	}
}

func TestTheSchemaRefusesWhatOneFieldAloneShowsToBeWrong(t *testing.T) {
	s := load(t)
	archive, err := txtar.ParseFile("testdata/wrong.txtar")
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, file := range archive.Files {
		switch file.Name {
		case "misspelt.yaml", "types.yaml", "numbers.yaml", "kind.yaml", "version.yaml", "neither.yaml", "list.yaml", "missing.yaml", "values.yaml", "strategies.yaml", "paths.yaml", "references.yaml":
			if wrong := s.validate(s, schemaInput(t, file.Data), "file"); len(wrong) == 0 {
				t.Errorf("%s passes", file.Name)
			}
			refused++
		}
	}
	if refused != 12 {
		t.Errorf("%d files were tried", refused)
	}
}

// schemaInput is plain for files that JSON cannot say: NaN and keys that are not text become text.
func schemaInput(t *testing.T, data []byte) any {
	text := regexp.MustCompile(`\.nan|\.inf`).ReplaceAllString(string(data), `"x"`)
	return plain(t, []byte(strings.ReplaceAll(text, ", 5: five", "")))
}

// TestTheSchemasDefaultsAreThoseOfComplete follows each default of the schema to
// the field of a completed App.
func TestTheSchemasDefaultsAreThoseOfComplete(t *testing.T) {
	source := `{"apiVersion": "fairlead.dev/v1", "kind": "App", "metadata": {"name": "a"}, "spec": {
		"artifact": {"from": {"git": "."}}, "command": ["a"], "gates": [{"name": "g", "command": ["g"]}],
		"environments": [
			{"name": "dev", "strategy": {"adaptive": {}, "mirror": {}, "guards": [{"name": "g", "metric": "m", "max": 1}]}}, {"name": "production"}]}}`
	parsed, err := app.Parse("a", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(app.Complete(parsed))
	completed := plain(t, text).(map[string]any)
	spec := completed["spec"].(map[string]any)
	environments := spec["environments"].([]any)
	strategy := environments[1].(map[string]any)["strategy"].(map[string]any)
	developed := environments[0].(map[string]any)["strategy"].(map[string]any)
	places := map[string]any{
		"AppSpec": spec, "GitSource": spec["artifact"].(map[string]any)["from"], "Check": spec["readiness"],
		"Gate": spec["gates"].([]any)[0], "Assignment": spec["assignment"], "Route": spec["route"], "Environment": environments[1],
		"Strategy": strategy, "Margin": strategy["margin"],
		"Adaptive": developed["adaptive"], "Mirror": developed["mirror"], "Guard": developed["guards"].([]any)[0],
	}
	checked := 0
	for name, def := range load(t)["$defs"].(map[string]any) {
		for field, property := range def.(map[string]any)["properties"].(map[string]any) {
			want, ok := property.(map[string]any)["default"]
			if !ok {
				continue
			}
			checked++
			place, ok := places[name].(map[string]any)
			if !ok {
				t.Errorf("%s.%s has a default, but this test does not know where to find it", name, field)
				continue
			}
			if got := canonical(place[field]); got != canonical(want) {
				t.Errorf("%s.%s: the schema says %s, Complete says %s", name, field, canonical(want), got)
			}
		}
	}
	if checked < 32 {
		t.Errorf("only %d defaults were found", checked)
	}
}

// canonical writes durations in one form, so that "5m" equals "5m0s".
func canonical(v any) string {
	data, _ := json.Marshal(v)
	text := string(data)
	for _, zero := range []string{"m0s", "h0m"} {
		text = strings.Replace(text, zero+`"`, zero[:1]+`"`, 1)
	}
	if text == `"60s"` {
		text = `"1m"`
	}
	return text
}

func TestEveryFieldHasARuleOrNeedsNone(t *testing.T) {
	free := []string{"AppSpec", "App", "Environment", "Strategy", "Artifact", "SignalSpec", "Resources"} // their fields that are structs
	anyValue := []string{"Guard.min", "Guard.max"}                                                       // any number
	var loose []string
	for name, def := range load(t)["$defs"].(map[string]any) {
		for field, property := range def.(map[string]any)["properties"].(map[string]any) {
			p := property.(map[string]any)
			_, ref := p["$ref"]
			bounded := p["type"] == "boolean" || ref && slices.Contains(free, name) || slices.Contains(anyValue, name+"."+field)
			for _, keyword := range []string{"enum", "pattern", "minimum", "exclusiveMinimum", "maxItems", "maxProperties"} {
				_, has := p[keyword]
				bounded = bounded || has
			}
			if !bounded {
				loose = append(loose, name+"."+field)
			}
		}
	}
	sort.Strings(loose)
	if len(loose) > 0 {
		t.Errorf("fields without a bound: %v", loose)
	}
}
