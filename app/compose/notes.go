package compose

import (
	"path/filepath"
	"strings"
)

// notes tells of what belongs to no service.
func (p *project) notes() []Note {
	notes := []Note{}
	tell := func(kind, path, what, why, instead string) {
		file, line := p.places.at(path)
		notes = append(notes, Note{Kind: kind, File: file, Line: line, What: what, Why: why, Instead: instead})
	}
	if p.override != "" {
		tell(Lost, "", filepath.Base(p.override), "compose merges this file by itself, and it was not named", "name it after the other: fairlead import "+filepath.Base(p.places.documents[0].file)+" "+filepath.Base(p.override))
	}
	for _, name := range sortedNames(p.types.Networks) {
		n := p.types.Networks[name]
		if n.Driver != "" && n.Driver != "bridge" || len(n.Ipam.Config) > 0 || bool(n.External) {
			tell(Lost, "networks."+name, "networks: "+name, "each app has a network of its own, and the engine's own addresses", "name whom an app calls under spec.network.reach")
		}
	}
	for _, name := range sortedNames(p.model) {
		switch {
		case name == "models" || name == "jobs":
			tell(Lost, name, name, "there are apps only", "make an app of what serves the model, or run the job before a deploy")
		case strings.HasPrefix(name, "x-"):
			tell(Idle, name, name, "extensions mean something to other programs only", "")
		}
	}
	return notes
}

// everywhere tells what is otherwise than compose has it in every app.
func everywhere(writes bool) []Note {
	notes := []Note{{Kind: Changed, What: "every app", Why: "reaches nothing outside but what spec.network.reach names; the addresses that stand in variables were written there",
		Instead: "add what else it calls, such as where it downloads models"}}
	if writes {
		notes = append(notes, Note{Kind: Changed, What: "every app", Why: "cannot write to its image's own files, only to /tmp and to volumes",
			Instead: "where it writes elsewhere, declare a volume there, or say loosen: {writableRoot: true}"})
	}
	return notes
}
