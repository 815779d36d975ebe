package artifact

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/fairlead/fairlead"
)

// The limits of a tree.
const (
	MaxFiles    = 100_000
	MaxBytes    = 20 << 30
	maxPath     = 4096
	maxManifest = 64 << 20
	maxHops     = 40 // links followed for one path, as the kernel does
)

// Manifest says what a directory tree holds. Directories are not listed: they are
// those that the files need, so an empty one is not part of a tree. Nor are times
// and owners.
type Manifest struct {
	Files []File `json:"files"` // sorted by Path, each once
}

// File is a regular file or a symbolic link.
type File struct {
	Path       string          `json:"path"` // relative, clean, with "/"
	Executable bool            `json:"executable,omitempty"`
	Size       int64           `json:"size,omitempty"` // bytes
	Digest     fairlead.Digest `json:"digest,omitempty"`
	Link       string          `json:"link,omitempty"` // target of a symbolic link, which has no other field
}

// JSON returns the canonical form of m: its one encoding, which its digest covers.
func (m Manifest) JSON() []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if m.Files == nil {
		m.Files = []File{}
	}
	if err := encoder.Encode(m); err != nil {
		panic(fmt.Sprintf("a manifest of plain fields does not marshal: %v", err)) // cannot happen
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// Digest returns the digest of m, which is the tree's.
func (m Manifest) Digest() fairlead.Digest { return fairlead.DigestOf(m.JSON()) }

// Size returns the bytes of all files.
func (m Manifest) Size() int64 {
	var total int64
	for _, f := range m.Files {
		total += f.Size
	}
	return total
}

// Blobs returns the digests of all files, each once, sorted.
func (m Manifest) Blobs() []fairlead.Digest {
	seen := map[fairlead.Digest]bool{}
	var blobs []fairlead.Digest
	for _, f := range m.Files {
		if f.Link == "" && !seen[f.Digest] {
			seen[f.Digest] = true
			blobs = append(blobs, f.Digest)
		}
	}
	sort.Slice(blobs, func(i, j int) bool { return blobs[i] < blobs[j] })
	return blobs
}

// Find returns the file at a path. It does not follow links.
func (m Manifest) Find(name string) (File, bool) {
	i := sort.Search(len(m.Files), func(i int) bool { return m.Files[i].Path >= name })
	if i < len(m.Files) && m.Files[i].Path == name {
		return m.Files[i], true
	}
	return File{}, false
}

// ParseManifest reads a manifest from the JSON of anybody: it is canonical, within
// the limits, and it passes Check.
func ParseManifest(data []byte) (Manifest, error) {
	var m Manifest
	if len(data) > maxManifest {
		return Manifest{}, refuse("it has %d bytes; at most %d are read", len(data), maxManifest)
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return Manifest{}, refuse("%v", err)
	}
	if !bytes.Equal(m.JSON(), data) {
		return Manifest{}, refuse("it is not in its canonical form")
	}
	return m, m.Check()
}

func refuse(format string, args ...any) error {
	return fairlead.Errorf(fairlead.Invalid, "read the artifact's manifest", format, args...)
}

// Check reports whether m can be made into a tree that nothing leaves: clean
// relative paths in order, no file below another file or a link, and no link that
// leads out of the tree, also by way of other links.
func (m Manifest) Check() error {
	if len(m.Files) > MaxFiles {
		return refuse("it has %d files; at most %d are allowed", len(m.Files), MaxFiles)
	}
	files := make(map[string]string, len(m.Files)) // path -> link, "" for a regular file
	var total int64
	for i, f := range m.Files {
		if err := f.check(); err != nil {
			return err
		}
		if i > 0 && m.Files[i-1].Path >= f.Path {
			return refuse("%q is not after %q", f.Path, m.Files[i-1].Path)
		}
		files[f.Path] = f.Link
		if total += f.Size; total > MaxBytes {
			return refuse("it has more than %d bytes", int64(MaxBytes))
		}
	}
	for _, f := range m.Files {
		for dir := path.Dir(f.Path); dir != "."; dir = path.Dir(dir) {
			if _, taken := files[dir]; taken {
				return refuse("%q lies below %q, which is not a directory", f.Path, dir)
			}
		}
		if f.Link != "" {
			if err := follow(files, f); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f File) check() error {
	switch {
	case f.Path == "" || len(f.Path) > maxPath || !utf8.ValidString(f.Path) || strings.ContainsRune(f.Path, 0):
		return refuse("%.80q is not a path: UTF-8 of 1 to %d bytes", f.Path, maxPath)
	case strings.HasPrefix(f.Path, "/") || path.Clean(f.Path) != f.Path || f.Path == "." || f.Path == ".." || strings.HasPrefix(f.Path, "../"):
		return refuse("%.80q is not a clean relative path", f.Path)
	case f.Link != "" && (f.Executable || f.Size != 0 || f.Digest != ""):
		return refuse("%.80q is both a link and a file", f.Path)
	case f.Link != "" && (len(f.Link) > maxPath || !utf8.ValidString(f.Link) || strings.ContainsRune(f.Link, 0)):
		return refuse("the target of the link %.80q is not UTF-8 of at most %d bytes", f.Path, maxPath)
	case f.Link == "" && (!f.Digest.Valid() || f.Size < 0):
		return refuse("%.80q has no content", f.Path)
	}
	return nil
}

// follow resolves a link as the kernel would, a name at a time, and reports the
// first step out of the tree. Targets that do not exist are allowed.
func follow(files map[string]string, link File) error {
	var at []string // directories entered, from the top
	if dir := path.Dir(link.Path); dir != "." {
		at = strings.Split(dir, "/")
	}
	if strings.HasPrefix(link.Link, "/") {
		return leaves(link)
	}
	todo := strings.Split(link.Link, "/")
	for hops := 0; len(todo) > 0; {
		name := todo[0]
		todo = todo[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			if len(at) == 0 {
				return leaves(link)
			}
			at = at[:len(at)-1]
			continue
		}
		at = append(at[:len(at):len(at)], name)
		target := files[strings.Join(at, "/")]
		if target == "" {
			continue
		}
		if hops++; hops > maxHops {
			return refuse("the link %q leads in a circle", link.Path)
		}
		if strings.HasPrefix(target, "/") {
			return leaves(link)
		}
		at = at[:len(at)-1]
		todo = append(strings.Split(target, "/"), todo...)
	}
	return nil
}

func leaves(link File) error {
	return refuse("the link %q leads out of the directory, to %q", link.Path, link.Link)
}
