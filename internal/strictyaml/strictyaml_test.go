package strictyaml_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/strictyaml"
)

type inner struct {
	Count int      `json:"count,omitempty"`
	Flag  bool     `json:"flag,omitempty"`
	Names []string `json:"names,omitempty"`
}

type outer struct {
	Text   string           `json:"text,omitempty"`
	Share  float64          `json:"share,omitempty"`
	Inner  *inner           `json:"inner,omitempty"`
	Items  []inner          `json:"items,omitempty"`
	ByName map[string]inner `json:"byName,omitempty"`
	Hidden string           `json:"-"`
}

func decode(t *testing.T, text string) (outer, []strictyaml.Problem, *strictyaml.Document) {
	t.Helper()
	document, bad := strictyaml.Parse([]byte(text), 1000)
	if bad != nil {
		t.Fatalf("%q: %+v", text, bad)
	}
	var into outer
	problems := document.Decode(&into, 10)
	return into, problems, document
}

func TestDecodeFillsEveryKindOfField(t *testing.T) {
	got, problems, document := decode(t, "text: a\nshare: 1.5e-1\ninner: {count: -3, flag: true}\nitems:\n  - names: [x, \"1\"]\n  - count: 2\nbyName:\n  one: {count: 1}\n")
	want := outer{Text: "a", Share: 0.15, Inner: &inner{Count: -3, Flag: true},
		Items: []inner{{Names: []string{"x", "1"}}, {Count: 2}}, ByName: map[string]inner{"one": {Count: 1}}}
	if len(problems) > 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, problems)
	}
	for path, want := range map[string]string{
		"text": "1:7", "items[1].count": "6:12", "items[0].names[1]": "5:16", "items[1].nothing.below": "6:5", "byName.one": "8:3", "nowhere": "1:1", "": "1:1",
	} {
		line, column := document.Position(path)
		if got := fmt.Sprintf("%d:%d", line, column); got != want {
			t.Errorf("%q stands at %s, want %s", path, got, want)
		}
	}
}

func TestZerosThatWereWrittenAreKnown(t *testing.T) {
	_, problems, document := decode(t, "text: \"\"\nshare: 0\ninner: {count: 0, flag: false, names: []}\nitems: []\nbyName: {}\n")
	var got []string
	for _, zero := range document.Zeros() {
		got = append(got, zero.Type+"."+zero.Field+"="+zero.Text)
	}
	want := `outer.text="" outer.share=0 inner.count=0 inner.flag=false inner.names=[] outer.items=[] outer.byName={}`
	if len(problems) > 0 || strings.Join(got, " ") != want {
		t.Errorf("%s, %v", strings.Join(got, " "), problems)
	}
}

func TestDecodeRefusesWhatAFieldIsNot(t *testing.T) {
	for text, want := range map[string]string{
		"Hidden: x":             `1:1 Hidden: unknown field "Hidden"`,
		"share: 0x10":           "1:8 share: want a number, found the number 0x10",
		"inner: {count: 0o7}":   "1:16 inner.count: want a whole number, found the number 0o7",
		"inner: {count: 1_000}": "1:16 inner.count: want a whole number, found the number 1_000",
		"inner: {flag: yes}":    `1:15 inner.flag: want true or false, found the text "yes"`,
		"inner: ~":              "1:8 inner: want fields, found nothing",
		"items: {}":             "1:8 items: want a list, found fields",
		"text: [a]":             "1:7 text: want text, found a list",
		"? [a]\n: b":            "1:3 : want a name, found a list",
		"text: &x [*x]":         "1:7 text: want text, found a list",
	} {
		_, problems, _ := decode(t, text)
		if len(problems) != 1 {
			t.Errorf("%q: %+v", text, problems)
			continue
		}
		if p := problems[0]; fmt.Sprintf("%d:%d %s: %s", p.Line, p.Column, p.Path, p.Text) != want {
			t.Errorf("%q: %+v, want %s", text, p, want)
		}
	}
}

func TestSuggestFindsTheLikelyMisspelling(t *testing.T) {
	fields := []string{"command", "port", "environments", "gates", "env", "by"}
	for word, want := range map[string]string{
		"comand": "command", "Command": "command", "comamnd": "command", "prot": "port", "enviroments": "environments",
		"enviornment": "environments", "gate": "gates", "bye": "by", "xyz": "", "": "", "replicas": "", strings.Repeat("e", 100): "",
	} {
		if got := strictyaml.Suggest(word, fields); got != want {
			t.Errorf("Suggest(%q) = %q, want %q", word, got, want)
		}
	}
}
