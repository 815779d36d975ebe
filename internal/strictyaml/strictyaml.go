// Package strictyaml reads one YAML (or JSON) document into a Go value and says
// exactly where and why it cannot: every problem has a line and a column.
//
// It is stricter than YAML: UTF-8 only, one document, no aliases (so nothing can
// be expanded without bound), no tags, no duplicate keys, no unknown fields, and
// no guessing between text and numbers. Fields are named by their json tags.
//
// A [Document] is not safe for concurrent use.
package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Problem is one thing that is wrong with a document, and where.
type Problem struct {
	Line   int    // from 1; 0 where the whole document is meant
	Column int    // from 1, in characters
	Path   string // such as "spec.environments[0].name"; "" for the document
	Text   string // what is wrong
}

// Zero is a field that was written with its type's zero value, such as 0 or "",
// which a default that stands for "not written" would hide.
type Zero struct {
	Type  string // the Go struct's name, such as "Strategy"
	Field string // the field's name in the document
	Path  string
	Text  string // the value as written
}

// Document is a parsed document that has not been decoded yet.
type Document struct {
	root  *yaml.Node
	at    map[string]*yaml.Node // path -> where a problem with it is reported
	zeros []Zero
}

// Parse reads data of at most limit bytes. A returned problem is final: there is
// no document then.
func Parse(data []byte, limit int) (*Document, *Problem) {
	if len(data) > limit {
		return nil, &Problem{Text: fmt.Sprintf("it is larger than a file may be: at most %d bytes", limit)}
	}
	if line, column, ok := firstBadByte(data); !ok {
		return nil, &Problem{Line: line, Column: column, Text: "this is not UTF-8 text"}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) || err == nil && emptyDocument(&document) {
		return nil, &Problem{Line: 1, Column: 1, Text: "the file is empty"}
	}
	if err != nil {
		return nil, syntaxProblem(err)
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		return nil, &Problem{Line: second.Line, Column: max(1, second.Column), Text: "a second document begins here; one file holds one document"}
	case !errors.Is(err, io.EOF):
		return nil, syntaxProblem(err)
	}
	return &Document{root: document.Content[0], at: map[string]*yaml.Node{}}, nil
}

func emptyDocument(document *yaml.Node) bool {
	return len(document.Content) == 0 || document.Content[0].Kind == yaml.ScalarNode && document.Content[0].ShortTag() == "!!null"
}

func firstBadByte(data []byte) (line, column int, ok bool) {
	if utf8.Valid(data) {
		return 0, 0, true
	}
	line, column = 1, 1
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		if r == utf8.RuneError && size == 1 {
			break
		}
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
		data = data[size:]
	}
	return line, column, false
}

var syntaxForm = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)

func syntaxProblem(err error) *Problem {
	match := syntaxForm.FindStringSubmatch(err.Error())
	if match == nil {
		return &Problem{Text: "this is not YAML: " + err.Error()}
	}
	line, _ := strconv.Atoi(match[1])
	if line == 0 {
		line = 1
	}
	return &Problem{Line: line, Column: 1, Text: "this is not YAML: " + match[2]}
}

// Text returns the scalar at the top level's key as it is written, and whether
// there is one. It serves to look at a document's kind before it is decoded.
func (d *Document) Text(key string) (string, bool) {
	if d.root.Kind != yaml.MappingNode {
		return "", false
	}
	for i := 0; i+1 < len(d.root.Content); i += 2 {
		if k, v := d.root.Content[i], d.root.Content[i+1]; k.Value == key && v.Kind == yaml.ScalarNode {
			d.at[key] = v
			return v.Value, true
		}
	}
	return "", false
}

// Position returns where a path stands, or where the nearest thing around it does.
func (d *Document) Position(path string) (line, column int) {
	for path != "" {
		if node, ok := d.at[path]; ok {
			return node.Line, node.Column
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return d.root.Line, d.root.Column
}

// Zeros returns the fields that were written with a zero value. It is complete
// after Decode.
func (d *Document) Zeros() []Zero { return d.zeros }
