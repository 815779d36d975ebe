package compose

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/fairlead/fairlead"
)

// places knows where in the files that were named things stand.
type places struct {
	documents []document
}

// document is one YAML document of a file.
type document struct {
	file string
	root *yaml.Node
}

// at returns where path stands, such as "services.web.ports.0", or the nearest
// thing around it. The file that was named last counts, for it is merged last.
func (p *places) at(path string) (file string, line int) {
	deepest := 0
	for _, d := range p.documents {
		if depth, node := d.find(path); depth >= deepest && node != nil {
			file, line, deepest = d.file, node.Line, depth
		}
	}
	if deepest == 0 && len(p.documents) > 0 {
		return p.documents[0].file, 0
	}
	return file, line
}

// place is at in one word, such as "compose.yaml:12".
func (p *places) place(path string) string {
	file, line := p.at(path)
	if line == 0 {
		return file
	}
	return fmt.Sprintf("%s:%d", file, line)
}

// line is where path stands in the files that were named, which orders things.
func (p *places) line(path string) int {
	_, line := p.at(path)
	return line
}

// find follows path as far as it goes, and returns how far and the last key or item.
func (d document) find(path string) (depth int, at *yaml.Node) {
	node := d.root
	for path != "" && node != nil {
		for node.Kind == yaml.AliasNode {
			node = node.Alias
		}
		next, found, rest := step(node, path)
		if next == nil {
			break
		}
		depth, at, node, path = depth+1, found, next, rest
	}
	return depth, at
}

// step follows one part of path: a key, which may hold dots, or an item's number.
func step(node *yaml.Node, path string) (value, at *yaml.Node, rest string) {
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			key := node.Content[i]
			if after, ok := strings.CutPrefix(path, key.Value); ok && (after == "" || after[0] == '.' || after[0] == '[') {
				return node.Content[i+1], key, strings.TrimLeft(after, ".")
			}
		}
	case yaml.SequenceNode:
		part, rest, _ := strings.Cut(path, ".")
		n, err := strconv.Atoi(strings.Trim(part, "[]"))
		if err == nil && n >= 0 && n < len(node.Content) {
			return node.Content[n], node.Content[n], rest
		}
	}
	return nil, nil, ""
}

// parse reads the YAML of a file, without following aliases. A fault has its line.
func parse(file string, data []byte) ([]document, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var all []document
	for {
		var node yaml.Node
		err := decoder.Decode(&node)
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fairlead.Errorf(fairlead.Invalid, "", "%s", syntax(file, err)).WithHint("a compose file is YAML; tabs may not indent")
		case len(node.Content) == 1:
			all = append(all, document{file, node.Content[0]})
		}
		if len(all) > mostFiles {
			return nil, fairlead.Errorf(fairlead.Invalid, "", "%s has more than %d documents", file, mostFiles)
		}
	}
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)

// syntax says where YAML is wrong, and why.
func syntax(file string, err error) string {
	found := yamlLine.FindStringSubmatch(err.Error())
	switch {
	case found == nil:
		return file + ": " + err.Error()
	case found[1] == "":
		return file + ": " + found[2]
	}
	return fmt.Sprintf("%s:%s: %s", file, found[1], found[2])
}

// What messages of the loader name a part of the project by, and a line of YAML.
var (
	modelPath = regexp.MustCompile(`(?:services|volumes|networks|secrets|configs|include|models|jobs)(?:\.[A-Za-z0-9_.\-]*[A-Za-z0-9_\-]|\[\d+\])+`)
	service   = regexp.MustCompile(`service "([^"]+)"`)
	yamlError = regexp.MustCompile(`^.*line (\d+)(?:, column \d+)?: `)
)

// plainer are words of the loader and what they say.
func plainer() *strings.Replacer {
	return strings.NewReplacer("error while interpolating ", "", "failed to cast to expected type: ", "", " false schema", " is nothing that a compose file has",
		" must be a array", " must be a list", ": invalid compose project", "", "\n", " ", "  ", " ")
}

// explain gives an error of the loader its place.
func (p *places) explain(err error) error {
	text := plainer().Replace(err.Error())
	for _, d := range p.documents {
		if abs, absErr := filepath.Abs(d.file); absErr == nil {
			text = strings.ReplaceAll(text, "failed to parse "+abs+": ", "")
			text = strings.ReplaceAll(text, "validating "+abs+": ", "")
			text = strings.ReplaceAll(text, abs, d.file)
		}
	}
	if found := yamlError.FindStringSubmatch(text); found != nil && len(p.documents) > 0 {
		text = p.documents[0].file + ":" + found[1] + ": " + strings.TrimPrefix(text, found[0])
	} else if file, line := p.at(named(text)); line > 0 {
		text = fmt.Sprintf("%s:%d: %s", file, line, text)
	}
	return fairlead.Errorf(fairlead.Invalid, "", "%s", clip(text)).WithHint("mend it until `docker compose config` reads it too; nothing was written")
}

// named is the path of the part of the project that a message names.
func named(text string) string {
	if path := modelPath.FindString(text); path != "" {
		return path
	}
	if found := service.FindStringSubmatch(text); found != nil {
		return "services." + found[1]
	}
	return ""
}

// clip shortens what a stranger wrote to what fits into a message.
func clip(text string) string {
	const most = 400
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return text
}
