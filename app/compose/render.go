package compose

import (
	"bytes"
	"encoding"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// appFile is the path of an app's file in dir.
func appFile(dir, app string) string { return filepath.Join(dir, app+".fairlead.yaml") }

// render writes an App file, with its remarks.
func render(s Service, from []string) []byte {
	var names []string
	for _, file := range from {
		names = append(names, filepath.Base(file))
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "# Made by `fairlead import` from the service %s of %s.\n", s.Name, strings.Join(names, " and "))
	decisions := slices.ContainsFunc(s.Notes, func(n Note) bool { return n.Kind == Lost || n.Kind == Decide })
	if decisions {
		fmt.Fprintf(&text, "# Read what `fairlead import` says of it before you deploy it: --dry-run says it again.\n")
	}
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	w := &writing{comments: s.comments}
	if err := encoder.Encode(w.node(reflect.ValueOf(s.spec), "")); err != nil {
		panic(fmt.Sprintf("an App of plain fields does not encode: %v", err)) // cannot happen
	}
	return text.Bytes()
}

// writing makes the YAML of an App, in the order of its fields.
type writing struct {
	comments map[string]string // path -> remark
}

// node is a value as YAML, nil where it has its zero value and may be left out.
func (w *writing) node(v reflect.Value, path string) *yaml.Node {
	if text, ok := v.Interface().(encoding.TextMarshaler); ok {
		data, err := text.MarshalText()
		if err == nil {
			return scalar(string(data), "!!str")
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		return w.node(v.Elem(), path)
	case reflect.Struct:
		return w.fields(v, path)
	case reflect.Map:
		return w.entries(v, path)
	case reflect.Slice:
		return w.list(v, path)
	case reflect.String:
		return scalar(v.String(), "!!str")
	}
	var n yaml.Node
	if err := n.Encode(v.Interface()); err != nil {
		panic(fmt.Sprintf("%s does not encode: %v", v.Type(), err)) // cannot happen: numbers and booleans are left
	}
	return &n
}

func (w *writing) fields(v reflect.Value, path string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for i := range v.NumField() {
		name, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if strings.Contains(options, "omitempty") && v.Field(i).IsZero() {
			continue
		}
		w.pair(n, name, v.Field(i), strings.TrimPrefix(path+"."+name, "."))
	}
	return n
}

func (w *writing) pair(n *yaml.Node, name string, v reflect.Value, path string) {
	value := w.node(v, path)
	if value.Kind == yaml.MappingNode && len(value.Content) == 0 {
		return
	}
	key := scalar(name, "!!str")
	if remark := w.comments[path]; remark != "" {
		key.HeadComment = "# " + strings.ReplaceAll(remark, "\n", "\n# ")
	}
	n.Content = append(n.Content, key, value)
}

func (w *writing) entries(v reflect.Value, path string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, key := range keys {
		w.pair(n, key.String(), v.MapIndex(key), path+"."+key.String())
	}
	return n
}

// list is a list of words on one line, or of anything else, an item a line.
func (w *writing) list(v reflect.Value, path string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode}
	long := 0
	for i := range v.Len() {
		item := w.node(v.Index(i), fmt.Sprintf("%s[%d]", path, i))
		long += len(item.Value) + 2
		n.Content = append(n.Content, item)
	}
	if v.Type().Elem().Kind() == reflect.String && long <= 100 && !slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return strings.Contains(c.Value, "\n") }) {
		n.Style = yaml.FlowStyle
	}
	return n
}

// scalar is a scalar that reads as it is written.
func scalar(text, tag string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: text}
	if tag == "!!str" {
		n.SetString(text)
		if text == "" || strings.ContainsFunc(text, unicode.IsControl) {
			n.Style = yaml.DoubleQuotedStyle
		}
	}
	return n
}
