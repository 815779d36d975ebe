package compose

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/atomicfile"
)

// Write writes the App files: all of them, or none where one cannot be. A file that
// is there is replaced only with force.
//
// Errors: conflict where a file is there.
func (i Imported) Write(force bool) error {
	op := "import " + strings.Join(i.Files, " ")
	if !force {
		if there := i.there(); len(there) > 0 {
			return fairlead.Errorf(fairlead.Conflict, op, "there is already %s", strings.Join(there, ", ")).
				WithHint("--force writes over it; --out DIR writes elsewhere; --dry-run only says what would be")
		}
	}
	var written []string
	for _, s := range i.Services {
		if s.App == "" {
			continue
		}
		put := atomicfile.Create
		if force {
			put = atomicfile.Write
		}
		if err := put(s.File, s.text, 0o644); err != nil {
			for _, file := range written {
				if !force {
					err = errors.Join(err, os.Remove(file))
				}
			}
			return fmt.Errorf("%s: write %s: %w", op, s.File, err)
		}
		written = append(written, s.File)
	}
	return nil
}

// there are the App files that exist.
func (i Imported) there() []string {
	var there []string
	for _, s := range i.Services {
		if s.App == "" {
			continue
		}
		if _, err := os.Lstat(s.File); !errors.Is(err, fs.ErrNotExist) {
			there = append(there, s.File)
		}
	}
	return there
}

// Text returns the App file of a service, as Write writes it.
func (s Service) Text() string { return string(s.text) }
