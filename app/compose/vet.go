package compose

import (
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/fairlead/fairlead"
)

// vetting looks at every file that the loader is going to read by itself, before it
// does: it reads whole files, whatever they are, and even those of other machines.
type vetting struct {
	places *places
	seen   map[string]bool
}

// file reads a compose file that was named, remembers where things stand in it, and
// vets all that it refers to.
func (v *vetting) file(name string) ([]byte, error) {
	data, err := bounded(name)
	if err != nil {
		return nil, err
	}
	documents, err := parse(name, data)
	if err != nil {
		return nil, err
	}
	v.places.documents = append(v.places.documents, documents...)
	return data, v.references(documents)
}

// referred vets a file that another one refers to. One that is not there is the
// loader's to complain about.
func (v *vetting) referred(name string) error {
	if v.seen == nil {
		v.seen = map[string]bool{}
	}
	if v.seen[name] {
		return nil
	}
	v.seen[name] = true
	if len(v.seen) > mostFiles {
		return fairlead.Errorf(fairlead.Invalid, "", "more than %d files refer to each other", mostFiles)
	}
	data, err := bounded(name)
	if fairlead.CodeOf(err) == fairlead.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	documents, err := parse(name, data)
	if err != nil {
		return err
	}
	return v.references(documents)
}

// references vets what documents include, and what their services extend.
func (v *vetting) references(documents []document) error {
	for _, d := range documents {
		r := &reference{file: d.file, dir: filepath.Dir(d.file)}
		r.include(get(d.root, "include"))
		r.extends(d.root, 0)
		if r.refused != nil {
			return r.refused
		}
		for _, name := range r.composes {
			if err := v.referred(name); err != nil {
				return err
			}
		}
		for _, name := range r.variables {
			if _, err := bounded(name); err != nil && fairlead.CodeOf(err) != fairlead.NotFound {
				return err
			}
		}
	}
	return nil
}

// reference collects the files that one file refers to.
type reference struct {
	file      string
	dir       string
	composes  []string
	variables []string
	refused   error
}

// include collects from a top-level include: a list of paths, or of mappings with path,
// env_file and project_directory.
func (r *reference) include(list *yaml.Node) {
	for _, item := range items(list) {
		if item.Kind == yaml.ScalarNode {
			r.compose(item, r.dir)
			continue
		}
		dir := r.dir
		if project := get(item, "project_directory"); project != nil {
			dir = filepath.Join(r.dir, project.Value)
		}
		for _, path := range items(get(item, "path")) {
			r.compose(path, r.dir)
			r.variables = append(r.variables, filepath.Join(dir, ".env"))
		}
		for _, path := range items(get(item, "env_file")) {
			if name := r.local(path, r.dir); name != "" {
				r.variables = append(r.variables, name)
			}
		}
	}
}

// extends collects from every mapping extends with a file, wherever it stands: an
// alias may carry it into a service.
func (r *reference) extends(node *yaml.Node, depth int) {
	if node == nil || depth > 100 {
		return
	}
	if node.Kind == yaml.MappingNode {
		if file := get(get(node, "extends"), "file"); file != nil {
			r.compose(file, r.dir)
		}
	}
	for _, child := range node.Content {
		r.extends(child, depth+1)
	}
}

func (r *reference) compose(path *yaml.Node, dir string) {
	if name := r.local(path, dir); name != "" {
		r.composes = append(r.composes, name)
		r.variables = append(r.variables, filepath.Join(filepath.Dir(name), ".env"))
	}
}

// elsewhere tells paths of other machines: URLs, and what Git and registries are called by.
var elsewhere = regexp.MustCompile(`^[a-z][a-z0-9+.-]*://|^git@|^oci:|\.git(#|$)`)

// local is the path on this machine that a reference names, "" where it names none.
func (r *reference) local(path *yaml.Node, dir string) string {
	switch {
	case path.Kind != yaml.ScalarNode || path.Value == "":
		return ""
	case strings.Contains(path.Value, "$"):
		r.refused = fairlead.Errorf(fairlead.Invalid, "", "%s:%d: the file %q is named by a variable", r.file, path.Line, clip(path.Value)).
			WithHint("write its name out")
	case elsewhere.MatchString(path.Value):
		r.refused = fairlead.Errorf(fairlead.Unsupported, "", "%s:%d: %q is not on this machine", r.file, path.Line, clip(path.Value)).
			WithHint("fetch it first, and name the copy")
	case filepath.IsAbs(path.Value):
		return path.Value
	default:
		return filepath.Join(dir, path.Value)
	}
	return ""
}

// get returns the value of a mapping's key, or nil. It follows an alias.
func get(node *yaml.Node, key string) *yaml.Node {
	if node != nil && node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node == nil || node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			value := node.Content[i+1]
			for value.Kind == yaml.AliasNode {
				value = value.Alias
			}
			return value
		}
	}
	return nil
}

// items returns the items of a list, or the one scalar that stands for a list.
func items(node *yaml.Node) []*yaml.Node {
	switch {
	case node == nil:
		return nil
	case node.Kind == yaml.SequenceNode:
		var all []*yaml.Node
		for _, item := range node.Content {
			for item.Kind == yaml.AliasNode {
				item = item.Alias
			}
			all = append(all, item)
		}
		return all
	}
	return []*yaml.Node{node}
}
