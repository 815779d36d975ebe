package strictyaml

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Decode fills into, a pointer to a struct, and returns what is wrong, at most
// limit problems. Parts that are wrong keep their zero value.
//
// It knows structs, pointers, slices, maps with text keys, text, whole numbers,
// numbers, booleans, and types that read themselves from text
// ([encoding.TextUnmarshaler]). Another type is a fault of the program and panics.
func (d *Document) Decode(into any, limit int) []Problem {
	run := &decoding{document: d, limit: limit}
	run.value(d.root, reflect.ValueOf(into).Elem(), "")
	return run.problems
}

type decoding struct {
	document *Document
	limit    int
	problems []Problem
}

func (r *decoding) problem(node *yaml.Node, path, format string, args ...any) {
	if len(r.problems) < r.limit {
		r.problems = append(r.problems, Problem{Line: node.Line, Column: node.Column, Path: path, Text: fmt.Sprintf(format, args...)})
	}
}

func (r *decoding) value(node *yaml.Node, into reflect.Value, path string) {
	reader, isText := into.Addr().Interface().(encoding.TextUnmarshaler)
	switch {
	case node.Kind == yaml.AliasNode:
		r.problem(node, path, "aliases are not read; write the value out")
	case node.Style&yaml.TaggedStyle != 0:
		r.problem(node, path, "tags such as %s are not read", clip(node.Tag))
	case into.Kind() == reflect.Pointer:
		fresh := reflect.New(into.Type().Elem())
		r.value(node, fresh.Elem(), path)
		into.Set(fresh)
	case isText:
		r.text(node, reader, path)
	default:
		r.kind(node, into, path)
	}
}

func (r *decoding) kind(node *yaml.Node, into reflect.Value, path string) {
	switch into.Kind() {
	case reflect.Struct:
		r.fields(node, into, path)
	case reflect.Map:
		r.entries(node, into, path)
	case reflect.Slice:
		r.items(node, into, path)
	case reflect.String:
		if r.scalar(node, path, "text", "!!str") {
			into.SetString(node.Value)
		}
	case reflect.Bool:
		if r.scalar(node, path, "true or false", "!!bool") {
			into.SetBool(strings.EqualFold(node.Value, "true"))
		}
	case reflect.Int, reflect.Int64:
		r.whole(node, into, path)
	case reflect.Float64:
		r.number(node, into, path)
	default:
		panic("strictyaml: cannot decode into " + into.Type().String())
	}
}

func (r *decoding) fields(node *yaml.Node, into reflect.Value, path string) {
	names, index := Fields(into.Type())
	r.pairs(node, path, "fields", func(key, value *yaml.Node) {
		i, known := index[key.Value]
		if !known {
			r.problem(key, join(path, key.Value), "unknown field %q%s", clip(key.Value), DidYouMean(key.Value, names))
			return
		}
		field := into.Field(i)
		at := join(path, key.Value)
		before := len(r.problems)
		r.value(value, field, at)
		if len(r.problems) == before && isZero(field) && field.Kind() != reflect.Struct {
			r.document.zeros = append(r.document.zeros, Zero{Type: into.Type().Name(), Field: key.Value, Path: at, Text: written(value)})
		}
	})
}

func (r *decoding) entries(node *yaml.Node, into reflect.Value, path string) {
	made := reflect.MakeMap(into.Type())
	r.pairs(node, path, "names and values", func(key, value *yaml.Node) {
		element := reflect.New(into.Type().Elem()).Elem()
		r.value(value, element, join(path, key.Value))
		made.SetMapIndex(reflect.ValueOf(key.Value).Convert(into.Type().Key()), element)
	})
	into.Set(made)
}

// pairs calls each for the pairs of a mapping whose keys are text and not repeated.
func (r *decoding) pairs(node *yaml.Node, path, want string, each func(key, value *yaml.Node)) {
	if node.Kind != yaml.MappingNode {
		r.problem(node, path, "want %s, found %s", want, describe(node))
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		line, repeated := seen[key.Value]
		switch {
		case key.Kind == yaml.ScalarNode && key.ShortTag() == "!!merge":
			r.problem(key, path, "merge keys are not read; write the fields out")
		case key.Kind != yaml.ScalarNode || key.Style&yaml.TaggedStyle != 0 || key.ShortTag() != "!!str":
			r.problem(key, path, "want a name, found %s", describe(key))
		case repeated:
			r.problem(key, join(path, key.Value), "%q is here twice; the first is on line %d", clip(key.Value), line)
		default:
			seen[key.Value] = key.Line
			r.document.at[join(path, key.Value)] = position(key, value)
			each(key, value)
		}
	}
}

// position is where a problem with a field is reported: its value where that
// stands on the field's line, otherwise its name.
func position(key, value *yaml.Node) *yaml.Node {
	if value.Kind == yaml.ScalarNode && value.Line == key.Line {
		return value
	}
	return key
}

func (r *decoding) items(node *yaml.Node, into reflect.Value, path string) {
	if node.Kind != yaml.SequenceNode {
		r.problem(node, path, "want a list, found %s", describe(node))
		return
	}
	made := reflect.MakeSlice(into.Type(), len(node.Content), len(node.Content))
	for i, item := range node.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		r.document.at[at] = item
		r.value(item, made.Index(i), at)
	}
	into.Set(made)
}

func (r *decoding) scalar(node *yaml.Node, path, want, tag string) bool {
	if node.Kind == yaml.ScalarNode && node.ShortTag() == tag {
		return true
	}
	hint := ""
	if tag == "!!str" && node.Kind == yaml.ScalarNode && node.ShortTag() != "!!null" {
		hint = "; put it in quotes"
	}
	r.problem(node, path, "want %s, found %s%s", want, describe(node), hint)
	return false
}

func (r *decoding) whole(node *yaml.Node, into reflect.Value, path string) {
	value, err := strconv.ParseInt(node.Value, 10, 64)
	if node.Kind != yaml.ScalarNode || node.ShortTag() != "!!int" || err != nil {
		r.problem(node, path, "want a whole number, found %s", describe(node))
		return
	}
	into.SetInt(value)
}

func (r *decoding) number(node *yaml.Node, into reflect.Value, path string) {
	value, err := strconv.ParseFloat(node.Value, 64)
	tag := node.ShortTag()
	if node.Kind != yaml.ScalarNode || tag != "!!int" && tag != "!!float" || err != nil || math.IsNaN(value) || math.IsInf(value, 0) {
		r.problem(node, path, "want a number, found %s", describe(node))
		return
	}
	into.SetFloat(value)
}

// text lets a type read itself, from text only.
func (r *decoding) text(node *yaml.Node, into encoding.TextUnmarshaler, path string) {
	if node.Kind != yaml.ScalarNode || node.ShortTag() == "!!null" {
		r.problem(node, path, "want text, found %s", describe(node))
	} else if err := into.UnmarshalText([]byte(node.Value)); err != nil {
		r.problem(node, path, "%s", clip(err.Error()))
	} else {
		r.scalar(node, path, "text", "!!str")
	}
}

func isZero(v reflect.Value) bool {
	if v.Kind() == reflect.Slice || v.Kind() == reflect.Map {
		return v.Len() == 0
	}
	return v.IsZero()
}

// Fields returns the names of a struct type's fields in a document, in order, and
// the index of each.
func Fields(t reflect.Type) (names []string, index map[string]int) {
	index = map[string]int{}
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
			index[name] = i
		}
	}
	return names, index
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// describe says what a node is, for people.
func describe(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "fields"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	switch node.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!int", "!!float":
		return "the number " + clip(node.Value)
	case "!!bool":
		return clip(node.Value)
	case "!!timestamp":
		return "the date " + clip(node.Value)
	}
	return fmt.Sprintf("the text %q", clip(node.Value))
}

func written(node *yaml.Node) string {
	switch node.Kind {
	case yaml.SequenceNode:
		return "[]"
	case yaml.MappingNode:
		return "{}"
	}
	if node.Value == "" {
		return `""`
	}
	return clip(node.Value)
}

// clip shortens what a stranger wrote to what fits into a message.
func clip(s string) string {
	const most = 80
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return s
}
