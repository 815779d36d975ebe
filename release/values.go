package release

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead"
)

// maxValue is the most bytes of a value that a difference shows.
const maxValue = 2000

// value is one named value of a release, in words.
type value struct{ name, text string }

// values returns the values of a part, in a fixed order; none of release 0.
func values(r fairlead.Release, part string) []value {
	if r.Number == 0 {
		return nil
	}
	c := r.Content
	var out flattened
	switch part {
	case PartModel, PartPrompt, PartConfig:
		for _, key := range slices.Sorted(maps.Keys(c.Files)) {
			if kind, path, _ := strings.Cut(key, "/"); kind == part {
				out.add(path, "named as "+part)
			}
		}
	case PartCommand:
		out.add("command", Words(c.Command))
	case PartSettings:
		out.settings(c)
	case PartSecrets:
		for _, env := range slices.Sorted(maps.Keys(c.Secrets)) {
			for _, name := range slices.Sorted(maps.Keys(c.Secrets[env])) {
				out.add(env+"/"+name, fmt.Sprintf("version %d", c.Secrets[env][name]))
			}
		}
	case PartGates:
		out.json("", c.Gates)
	case PartPolicy:
		out.policy(r.Policy)
	case PartCommit:
		if s := r.Source; s != nil {
			out = append(out, value{"repository", s.Repository}, value{"ref", s.Ref}, value{"commit", s.Hash})
		}
	}
	return out
}

// flattened are the values of a structure, named by their paths.
type flattened []value

func (f *flattened) add(name, text string) {
	if text != "" {
		*f = append(*f, value{name, text})
	}
}

// settings adds all of a content that no other part holds, so that a field that is new
// in Content is compared without being named here.
func (f *flattened) settings(c fairlead.Content) {
	envIn := c.EnvIn
	c.Command, c.Files, c.Secrets, c.Gates, c.EnvIn = nil, nil, nil, nil, nil
	f.json("", c, "artifact")
	for _, env := range slices.Sorted(maps.Keys(envIn)) {
		f.json("env in "+env, envIn[env])
	}
}

// policy adds what the file says of each environment, less its variables: they are
// settings.
func (f *flattened) policy(environments []fairlead.Environment) {
	var order []string
	for _, env := range environments {
		order = append(order, env.Name)
	}
	f.add("environments", strings.Join(order, ", "))
	for _, env := range environments {
		f.json(env.Name, env, "name", "env")
	}
}

// json adds what a value of plain fields holds, as its JSON names it, but for some
// fields.
func (f *flattened) json(name string, v any, less ...string) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("plain fields do not marshal: %v", err)) // cannot happen
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		panic(fmt.Sprintf("what was marshalled does not unmarshal: %v", err)) // cannot happen
	}
	if object, ok := tree.(map[string]any); ok {
		maps.DeleteFunc(object, func(key string, _ any) bool { return slices.Contains(less, key) })
	}
	f.tree(name, tree, reflect.TypeOf(v))
}

// tree adds v, which is JSON of a value of type t.
func (f *flattened) tree(name string, v any, t reflect.Type) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			f.tree(join(name, key), v[key], within(t, key))
		}
	case []any:
		f.list(name, v, within(t, ""))
	case nil:
	default:
		f.add(name, quoted(measured(name, v, t), ""))
	}
}

// list adds a list of scalars as one value, and one of objects as their names and what
// each holds.
func (f *flattened) list(name string, all []any, of reflect.Type) {
	var words, names []string
	for i, item := range all {
		object, ok := item.(map[string]any)
		if !ok {
			words = append(words, measured(name, item, of))
			continue
		}
		own, _ := object["name"].(string)
		if own == "" || slices.Contains(names, own) {
			own = strconv.Itoa(i + 1)
		}
		names = append(names, own)
	}
	switch {
	case len(words) > 0 && strings.HasSuffix("."+name, ".command"):
		f.add(name, Words(words))
	case len(words) > 0:
		f.add(name, separated(words, ","))
	}
	f.add(join(name, "names"), strings.Join(names, ", "))
	for i, own := range names {
		object, _ := all[i].(map[string]any)
		delete(object, "name")
		f.tree(join(name, own), object, of)
	}
}

func join(name, key string) string {
	if name == "" {
		return key
	}
	return name + "." + key
}

// Words returns a command as one would type it: words with spaces and the like are
// quoted.
func Words(command []string) string { return separated(command, " \t\n\r") }

// separated joins words by the first of the marks that a word has to be quoted for, and
// ", " where that is a comma.
func separated(words []string, marks string) string {
	all := make([]string, len(words))
	for i, word := range words {
		all[i] = quoted(word, marks)
	}
	if marks[0] == ',' {
		return strings.Join(all, ", ")
	}
	return strings.Join(all, " ")
}

// quoted returns a word as it is, or in quotes where that could be read in another way.
func quoted(word, marks string) string {
	if word == "" || strings.ContainsAny(word, marks+"\"\\") && marks != "" {
		return strconv.Quote(word)
	}
	return word
}

// compareValues returns the values that changed: those that are there now in their
// order, then those that are gone.
func compareValues(before, after []value) []ValueChange {
	was, is := map[string]string{}, map[string]string{}
	for _, v := range before {
		was[v.name] = v.text
	}
	var changes []ValueChange
	for _, v := range after {
		is[v.name] = v.text
		old, known := was[v.name]
		switch {
		case !known:
			changes = append(changes, ValueChange{Name: v.name, Change: Added, After: shown(v.text)})
		case old != v.text:
			changes = append(changes, ValueChange{Name: v.name, Change: Changed, Before: shown(old), After: shown(v.text)})
		}
	}
	for _, v := range before {
		if _, stays := is[v.name]; !stays {
			changes = append(changes, ValueChange{Name: v.name, Change: Removed, Before: shown(v.text)})
		}
	}
	return changes
}

// shown returns a value in a length that can be shown; the digest of a longer one tells
// it from others.
func shown(text string) string {
	if len(text) <= maxValue {
		return text
	}
	return fmt.Sprintf("%s … (%d bytes, %s)", strings.ToValidUTF8(text[:maxValue], ""), len(text), fairlead.DigestOf([]byte(text)).Short())
}
