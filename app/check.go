package app

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/strictyaml"
)

// check applies the rules of each field and then those that bind several.
func check(app fairlead.App) []strictyaml.Problem {
	c := &checking{rules: rules()}
	c.fields(reflect.ValueOf(app), "")
	c.app(app)
	return slices.DeleteFunc(c.wrong, func(p strictyaml.Problem) bool { return c.follows(p.Path) })
}

// follows reports whether a problem at path is only a consequence of one with what
// Complete derived it from: hosts come from the app's name, and the routes and
// signals of environments from the app's.
func (c *checking) follows(path string) bool {
	derived := path == "spec.route.host" && c.has("metadata.name")
	derived = derived || derivedSignal.MatchString(path) && c.has("spec.signals")
	return derived || derivedRoute.MatchString(path) && (c.has("metadata.name") || c.has("spec.route"))
}

var (
	derivedRoute  = regexp.MustCompile(`^spec\.environments\[\d+\]\.route`)
	derivedSignal = regexp.MustCompile(`^spec\.environments\[\d+\]\.strategy\.signals`)
)

func (c *checking) has(prefix string) bool {
	return slices.ContainsFunc(c.wrong, func(p strictyaml.Problem) bool { return strings.HasPrefix(p.Path, prefix) })
}

type checking struct {
	rules map[string]rule
	wrong []strictyaml.Problem
}

func (c *checking) problem(path, format string, args ...any) {
	c.wrong = append(c.wrong, strictyaml.Problem{Path: path, Text: fmt.Sprintf(format, args...)})
}

// fields applies the rules to each field of a struct and of what it holds.
func (c *checking) fields(v reflect.Value, path string) {
	names, index := strictyaml.Fields(v.Type())
	for _, name := range names {
		field := v.Field(index[name])
		at := strings.TrimPrefix(path+"."+name, ".")
		optional := strings.Contains(v.Type().Field(index[name]).Tag.Get("json"), ",omitempty")
		if field.Kind() == reflect.Pointer && !field.IsNil() {
			field = field.Elem()
		} else if field.IsZero() && optional {
			continue
		}
		c.value(field, c.rules[v.Type().Name()+"."+name], at)
	}
}

func (c *checking) value(v reflect.Value, r rule, path string) {
	switch v.Kind() {
	case reflect.Struct:
		c.fields(v, path)
	case reflect.Slice:
		c.list(v, r, path)
	case reflect.Map:
		c.variables(v, r, path)
	case reflect.String:
		c.text(v.String(), r, path)
	case reflect.Int, reflect.Int64, reflect.Float64:
		c.number(v, r, path)
	}
}

func (c *checking) list(v reflect.Value, r rule, path string) {
	if r.some && v.Len() == 0 {
		c.problem(path, "is required and not empty")
	}
	if r.items > 0 && v.Len() > r.items {
		c.problem(path, "has %d items; at most %d are allowed", v.Len(), r.items)
		return
	}
	for i := range v.Len() {
		c.value(v.Index(i), r, fmt.Sprintf("%s[%d]", path, i))
	}
}

func (c *checking) variables(v reflect.Value, r rule, path string) {
	if r.items > 0 && v.Len() > r.items {
		c.problem(path, "has %d names; at most %d are allowed", v.Len(), r.items)
		return
	}
	keys := v.MapKeys()
	sort.Slice(keys, func(i, j int) bool { return keys[i].String() < keys[j].String() })
	for _, key := range keys {
		at := path + "." + clip(key.String())
		c.text(key.String(), rule{pattern: r.keys, says: r.keySays}, at)
		switch name, value := key.String(), v.MapIndex(key).String(); {
		case !r.any && (name == "PORT" || strings.HasPrefix(name, "FAIRLEAD_")):
			c.problem(at, "is set by Fairlead; choose another name")
		case strings.Contains(value, "\x00") || len(value) > 32768:
			c.problem(at, "want text of at most 32768 bytes without NUL")
		}
	}
}

func (c *checking) text(s string, r rule, path string) {
	switch {
	case !utf8.ValidString(s):
		c.problem(path, "is not UTF-8 text")
	case s != "" && r.wrong != nil && r.wrong(s) != "":
		c.problem(path, "%s", r.wrong(s))
	case r.enum != nil:
		for _, allowed := range r.enum {
			if s == allowed {
				return
			}
		}
		c.problem(path, "want %s, found %q%s", anyOf(r.enum), clip(s), strictyaml.DidYouMean(s, r.enum))
	case r.long > 0 && utf8.RuneCountInString(s) > r.long:
		c.problem(path, "has %d characters; at most %d are allowed", utf8.RuneCountInString(s), r.long)
	case r.pattern != "" && s == "":
		c.problem(path, "is required: %s", r.says)
	case r.pattern != "" && !regexp.MustCompile(r.pattern).MatchString(s):
		c.problem(path, "want %s, found %q", r.says, clip(s))
	}
}

func anyOf(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

func (c *checking) number(v reflect.Value, r rule, path string) {
	if r.max == 0 {
		return
	}
	var n float64
	write := func(f float64) string { return fmt.Sprintf("%g", f) }
	switch value := v.Interface().(type) {
	case fairlead.Duration:
		n = value.D().Seconds()
		write = func(f float64) string { return time.Duration(f * float64(time.Second)).String() }
	case int:
		n = float64(value)
		write = func(f float64) string { return fmt.Sprintf("%.0f", f) }
	default:
		n = v.Float()
	}
	switch {
	case r.open && !(n > r.min && n < r.max):
		c.problem(path, "want more than %s and less than %s, found %s", write(r.min), write(r.max), write(n))
	case !r.open && !(n >= r.min && n <= r.max):
		c.problem(path, "want %s to %s, found %s", write(r.min), write(r.max), write(n))
	}
}
