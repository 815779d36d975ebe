package app

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/strictyaml"
)

const (
	durationPattern = `^([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+$`
	schemaID        = "https://fairlead.dev/schema/v1/app.json"
)

// Schema returns the JSON Schema (draft 2020-12) of App files, indented, as
// `fairlead schema` prints it. It is made from the Go types, their comments and
// the rules of [Check]; what binds several fields is only in part expressible.
func Schema() []byte {
	s := &schemas{rules: rules(), defs: map[string]any{}}
	s.object(reflect.TypeFor[fairlead.App]())
	document := map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"$id":     schemaID,
		"title":   "Fairlead App",
		"$ref":    "#/$defs/App",
		"$defs":   s.defs,
	}
	data, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("a schema of plain values does not marshal: %v", err)) // cannot happen
	}
	return append(data, '\n')
}

type schemas struct {
	rules map[string]rule
	defs  map[string]any
}

// object puts the schema of a struct type into the definitions.
func (s *schemas) object(t reflect.Type) {
	if _, done := s.defs[t.Name()]; done {
		return
	}
	object := map[string]any{"type": "object", "additionalProperties": false}
	s.defs[t.Name()] = object // before the fields, so that a cycle would end
	if text := descriptions()[t.Name()]; text != "" {
		object["description"] = text
	}
	properties, required := map[string]any{}, []string{}
	names, index := strictyaml.Fields(t)
	for _, name := range names {
		field := t.Field(index[name])
		properties[name] = s.field(t.Name()+"."+name, field.Type)
		if !strings.Contains(field.Tag.Get("json"), ",omitempty") {
			required = append(required, name)
		}
	}
	object["properties"] = properties
	if len(required) > 0 {
		object["required"] = required
	}
	switch t {
	case reflect.TypeFor[fairlead.Artifact]():
		object["oneOf"] = oneOf("directory", "from", "image", "dockerfile", "archive")
	case reflect.TypeFor[fairlead.Strategy]():
		object["not"] = map[string]any{"required": []string{"steps", "adaptive"}}
	}
}

// oneOf demands exactly one of fields.
func oneOf(fields ...string) []any {
	var all []any
	for _, name := range fields {
		all = append(all, map[string]any{"required": []string{name}})
	}
	return all
}

func (s *schemas) field(key string, t reflect.Type) map[string]any {
	schema := s.value(t, s.rules[key])
	if text := descriptions()[key]; text != "" {
		schema["description"] = text
	}
	if standard, ok := typedDefault(key, t); ok {
		schema["default"] = standard
	}
	return schema
}

func (s *schemas) value(t reflect.Type, r rule) map[string]any {
	switch {
	case t.Kind() == reflect.Pointer:
		return s.value(t.Elem(), r)
	case t == reflect.TypeFor[fairlead.Duration]():
		return map[string]any{"type": "string", "pattern": durationPattern, "examples": []string{"30s", "1h30m"}}
	case t.Kind() == reflect.Struct:
		s.object(t)
		return map[string]any{"$ref": "#/$defs/" + t.Name()}
	case t.Kind() == reflect.Slice:
		return s.list(t, r)
	case t.Kind() == reflect.Map:
		schema := map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "string"}, "maxProperties": r.items}
		schema["propertyNames"] = map[string]any{"pattern": r.keys}
		return schema
	case t.Kind() == reflect.String:
		return text(r)
	case t.Kind() == reflect.Bool:
		return map[string]any{"type": "boolean"}
	}
	return number(t, r)
}

func (s *schemas) list(t reflect.Type, r rule) map[string]any {
	schema := map[string]any{"type": "array", "items": s.value(t.Elem(), r)}
	if r.items > 0 {
		schema["maxItems"] = r.items
	}
	if r.some {
		schema["minItems"] = 1
	}
	return schema
}

func text(r rule) map[string]any {
	schema := map[string]any{"type": "string"}
	if r.enum != nil {
		schema["enum"] = r.enum
	}
	if r.pattern != "" {
		schema["pattern"] = r.pattern
	}
	if r.long > 0 {
		schema["maxLength"] = r.long
	}
	return schema
}

func number(t reflect.Type, r rule) map[string]any {
	schema := map[string]any{"type": "number"}
	if t.Kind() == reflect.Int {
		schema["type"] = "integer"
	}
	switch {
	case r.max == 0:
	case r.open:
		schema["exclusiveMinimum"], schema["exclusiveMaximum"] = r.min, r.max
	default:
		schema["minimum"], schema["maximum"] = r.min, r.max
	}
	return schema
}

var defaultForm = regexp.MustCompile(`\(default:? ([^()]+)\)`)

// defaultOf returns the default that a field's comment states, as text.
func defaultOf(key string) (string, bool) {
	match := defaultForm.FindStringSubmatch(descriptions()[key])
	if match == nil {
		return "", false
	}
	return match[1], true
}

// typedDefault returns a field's default where its comment states it as one value
// of the field's type.
func typedDefault(key string, t reflect.Type) (any, bool) {
	stated, ok := defaultOf(key)
	if !ok || strings.Contains(descriptions()[key], "(default:") {
		return nil, false
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[fairlead.Duration](), t.Kind() == reflect.String && !strings.Contains(stated, ","):
		return stated, true
	case t.Kind() == reflect.Int, t.Kind() == reflect.Float64:
		return fraction(stated)
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Float64:
		var list []any
		for part := range strings.SplitSeq(stated, ",") {
			n, ok := fraction(strings.TrimSpace(part))
			if !ok {
				return nil, false
			}
			list = append(list, n)
		}
		return list, true
	}
	return nil, false
}

// fraction reads "5", "0.01" or "1/300".
func fraction(s string) (any, bool) {
	above, below, divided := strings.Cut(s, "/")
	n, err := strconv.ParseFloat(above, 64)
	if err != nil || !divided {
		return n, err == nil
	}
	d, err := strconv.ParseFloat(below, 64)
	return n / d, err == nil && d != 0
}
