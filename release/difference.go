package release

import (
	"slices"
	"strings"

	"github.com/fairlead/fairlead"
)

// The parts of a release, in the order in which a difference lists them.
const (
	PartArtifact = "artifact" // files that no other part names
	PartModel    = "model"
	PartPrompt   = "prompt"
	PartConfig   = "config"
	PartCommand  = "command"
	PartSettings = "settings"
	PartSecrets  = "secrets"
	PartGates    = "gates"
	PartPolicy   = "policy" // what the environments' file says; it is no part of the digest
	PartCommit   = "commit"
)

// The ways a thing changes.
const (
	Added   = "added"
	Removed = "removed"
	Changed = "changed"
	Renamed = "renamed" // only files; the content is the same
	Same    = "same"    // only parts
)

// maxListed is the most changes of files, and of values, that a part lists.
const maxListed = 200

// Side is one of two releases that are compared, with the files of its artifact. A
// release of number 0 stands for none: it has nothing.
type Side struct {
	fairlead.Release
	Files []File // sorted by path, each once
}

// File is a regular file of an artifact, or a symbolic link.
type File struct {
	Path       string
	Executable bool
	Bytes      int64
	Digest     fairlead.Digest // "" for a link
	Link       string          // target of a link
}

// Difference is what one release has that another has not. All parts are there, in
// their order.
type Difference struct {
	App      string
	From, To int // release numbers; From is 0 for none
	Parts    []PartChange
}

// PartChange is what changed in one part.
type PartChange struct {
	Part   string
	Change string // Changed or Same
	Files  []FileChange
	Values []ValueChange
	More   int // changes beyond those that are listed
}

// FileChange is one file that changed.
type FileChange struct {
	Path          string
	Was           string // its path before, if it was renamed
	Change        string
	Before, After fairlead.Digest
	Bytes         [2]int64 // before and after
	Note          string   // what else changed of it, such as that it may be executed now
	Diff          string   // hunks of a unified diff, for text
	Cut           int      // lines of Diff that are left out at its end
	NoDiff        string   // why there is no Diff
}

// ValueChange is one value that changed. A secret's value is its version.
type ValueChange struct {
	Name          string
	Change        string
	Before, After string
}

// Compare says what changed from one release to another, without the texts of files:
// see [Texts]. It depends on nothing but its arguments.
func Compare(before, after Side) Difference {
	d := Difference{App: after.App, From: before.Number, To: after.Number}
	for _, part := range []string{PartArtifact, PartModel, PartPrompt, PartConfig, PartCommand, PartSettings, PartSecrets, PartGates, PartPolicy, PartCommit} {
		change := PartChange{Part: part, Change: Same, Values: compareValues(values(before.Release, part), values(after.Release, part))}
		if slices.Contains(kinds(), part) || part == PartArtifact {
			change.Files = compareFiles(filesOf(part, before, after))
			change.Values = unsaid(change.Values, change.Files)
		}
		if len(change.Files)+len(change.Values) > 0 {
			change.Change = Changed
		}
		change.Files, change.More = listed(change.Files, change.More)
		change.Values, change.More = listed(change.Values, change.More)
		d.Parts = append(d.Parts, change)
	}
	return d
}

func listed[T any](all []T, more int) ([]T, int) {
	n := min(len(all), maxListed)
	return all[:n], more + len(all) - n
}

// kinds are the parts that name files of the artifact.
func kinds() []string { return []string{PartModel, PartPrompt, PartConfig} }

// filesOf returns both sides' files that belong to a part: what either release names as
// of that kind, or for the artifact all that neither names at all.
func filesOf(part string, before, after Side) (was, is map[string]File) {
	named := map[string]bool{}
	for _, side := range []Side{before, after} {
		for key := range side.Content.Files {
			if kind, path, _ := strings.Cut(key, "/"); part == PartArtifact || kind == part {
				named[path] = true
			}
		}
	}
	pick := func(files []File) map[string]File {
		picked := map[string]File{}
		for _, f := range files {
			if named[f.Path] != (part == PartArtifact) {
				picked[f.Path] = f
			}
		}
		return picked
	}
	return pick(before.Files), pick(after.Files)
}

// unsaid leaves out that a file is named where it came or went with that.
func unsaid(values []ValueChange, files []FileChange) []ValueChange {
	said := map[string]bool{}
	for _, f := range files {
		if f.Change != Changed {
			said[f.Path], said[f.Was] = true, true
		}
	}
	return slices.DeleteFunc(values, func(v ValueChange) bool { return said[v.Name] })
}

// compareFiles returns the files that changed, sorted by path.
func compareFiles(was, is map[string]File) []FileChange {
	var changes []FileChange
	for path, a := range is {
		b, known := was[path]
		if known && a == b {
			continue
		}
		change := Changed
		if !known {
			change = Added
		}
		changes = append(changes, FileChange{
			Path: path, Change: change, Before: b.Digest, After: a.Digest, Bytes: [2]int64{b.Bytes, a.Bytes}, Note: noteOf(b, a, known),
		})
	}
	for path, b := range was {
		if _, stays := is[path]; !stays {
			changes = append(changes, FileChange{Path: path, Change: Removed, Before: b.Digest, Bytes: [2]int64{b.Bytes, 0}, Note: noteOf(File{}, b, false)})
		}
	}
	slices.SortFunc(changes, func(a, b FileChange) int { return strings.Compare(a.Path, b.Path) })
	return renamed(changes)
}

// noteOf says what a file is beside its content, or what of that changed.
func noteOf(before, after File, known bool) string {
	switch {
	case known && before.Link != after.Link && before.Link != "" && after.Link != "":
		return "a link to " + after.Link + ", before to " + before.Link
	case known && before.Link != "" && after.Link == "":
		return "a file; it was a link to " + before.Link
	case known && before.Link == "" && after.Link != "":
		return "a link to " + after.Link + "; it was a file"
	case after.Link != "":
		return "a link to " + after.Link
	case known && after.Executable && !before.Executable:
		return "it may be executed now"
	case known && !after.Executable && before.Executable:
		return "it may no longer be executed"
	}
	return ""
}

// renamed joins a removed and an added file of the same content, the first of each in
// order of their paths.
func renamed(changes []FileChange) []FileChange {
	removed := map[fairlead.Digest][]string{}
	for _, c := range changes {
		if c.Change == Removed && c.Before != "" && c.Bytes[0] > 0 {
			removed[c.Before] = append(removed[c.Before], c.Path)
		}
	}
	gone := map[string]bool{}
	for i, c := range changes {
		if from := removed[c.After]; c.Change == Added && len(from) > 0 {
			removed[c.After], gone[from[0]] = from[1:], true
			changes[i].Change, changes[i].Was, changes[i].Before, changes[i].Bytes[0] = Renamed, from[0], c.After, c.Bytes[1]
		}
	}
	return slices.DeleteFunc(changes, func(c FileChange) bool { return c.Change == Removed && gone[c.Path] })
}
