// Package release holds the files of six releases of the triage example: v1
// whole, and of v2 to v6 what each changes. Write lays one out as a directory
// that can be deployed, without the source tree at hand.
package release

import (
	"embed"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

//go:embed v1 v2 v3 v4 v5 v6
var files embed.FS

// base is the version that the others differ from.
const base = "v1"

// program is the name of the program in a release's directory.
const program = "triage"

// Version is one release of the example and what becomes of it in production.
type Version struct {
	Name    string // such as "v3"
	Summary string // what is new in it
	Fails   string // what a user or an operator sees go wrong; empty when nothing does
}

// Good reports whether the release deserves production.
func (v Version) Good() bool { return v.Fails == "" }

// Versions returns all releases, oldest first.
func Versions() []Version {
	return []Version{
		{Name: "v1", Summary: "the first release: one retry to the knowledge base, 0.5 % of the calls fail"},
		{Name: "v2", Summary: "a better prompt, which admits when it is not sure"},
		{Name: "v3", Summary: "retries to the knowledge base are off", Fails: "5 % of the calls fail instead of 0.5 %"},
		{Name: "v4", Summary: "the prompt uses a field that does not exist", Fails: "it is ready, and every chat call answers 500"},
		{Name: "v5", Summary: "the configuration names weights that are not there", Fails: "it exits with status 1 at each start"},
		{Name: "v6", Summary: "a field of the configuration is misspelt", Fails: "it exits with status 78 before it listens"},
	}
}

// Write lays out a release in dir, which it creates if need be: the files of v1
// and over them those of version, and the program, copied from the file binary.
// Files of the same names are replaced; nothing is synced, as all of it can be
// made again. An unknown version is an error.
func Write(dir, binary, version string) error {
	known := slices.ContainsFunc(Versions(), func(v Version) bool { return v.Name == version })
	if !known {
		return fmt.Errorf("write release: there is no version %q", version)
	}
	for _, from := range []string{base, version} {
		if err := overlay(dir, from); err != nil {
			return fmt.Errorf("write release %s: %w", version, err)
		}
	}
	if err := copyProgram(filepath.Join(dir, program), binary); err != nil {
		return fmt.Errorf("write release %s: %w", version, err)
	}
	return nil
}

// overlay copies the embedded files of a version over dir.
func overlay(dir, version string) error {
	tree, err := fs.Sub(files, version)
	if err != nil {
		return err
	}
	return fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(dir, filepath.FromSlash(name))
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		data, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o644)
	})
}

// copyProgram copies an executable file. It writes a new file beside the target
// and renames it, because a program that runs cannot be overwritten.
func copyProgram(target, source string) error {
	in, err := os.Open(source)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.CreateTemp(filepath.Dir(target), ".triage-*")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name()) // no longer there when all went well
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	if err := out.Chmod(0o755); err != nil {
		out.Close()
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	return os.Rename(out.Name(), target)
}
