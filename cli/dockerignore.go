package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/fairlead/fairlead"
)

// ignore is what a .dockerignore file leaves out of a context. See
// https://docs.docker.com/build/concepts/context/#dockerignore-files for its form.
type ignore struct {
	lines []ignored
	back  bool // a line brings back what others left out
}

// ignored is one line of it.
type ignored struct {
	form *regexp.Regexp
	back bool
}

// The bounds of a .dockerignore: who deploys may have it from a stranger, and each file
// of the context is held against each pattern.
const (
	maxIgnore   = 1 << 20 // bytes
	maxPatterns = 4096
	maxPattern  = 1024 // bytes
)

// readIgnore reads what is left out of a context for a Dockerfile: the file of its
// name with .dockerignore behind it goes before the one at the top of the context.
func readIgnore(dir, dockerfile string) (ignore, error) {
	for _, name := range []string{dockerfile + ".dockerignore", filepath.Join(dir, ".dockerignore")} {
		if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		data, err := readFile(name, maxIgnore)
		if err == nil && len(data) > maxIgnore {
			err = fairlead.Errorf(fairlead.Invalid, "", "%s has more than %d bytes", name, maxIgnore)
		}
		if err != nil {
			return ignore{}, err
		}
		list, err := parseIgnore(string(data))
		if err != nil {
			return ignore{}, fairlead.Errorf(fairlead.Invalid, "", "%s: %w", name, err).WithHint("mend the line")
		}
		return list, nil
	}
	return ignore{}, nil
}

func parseIgnore(text string) (ignore, error) {
	var list ignore
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		rest, back := strings.CutPrefix(line, "!")
		rest = strings.TrimPrefix(path.Clean(strings.TrimSpace(rest)), "/")
		if rest == "." || rest == "" {
			continue
		}
		if len(rest) > maxPattern || len(list.lines) == maxPatterns {
			return list, fmt.Errorf("line %d: there may be %d patterns, each of at most %d bytes", number, maxPatterns, maxPattern)
		}
		form, err := globForm(rest)
		if err != nil {
			return list, fmt.Errorf("line %d: %q is no pattern", number, line)
		}
		list.lines = append(list.lines, ignored{form, back})
		list.back = list.back || back
	}
	return list, nil
}

// skips reports whether a path is left out: the last line that matches it, or a
// directory that it is in, decides. A directory is looked into while a line could
// bring back something in it.
func (i ignore) skips(name string, dir bool) bool {
	if dir && i.back {
		return false
	}
	skip := false
	for _, line := range i.lines {
		for at := name; at != "."; at = path.Dir(at) {
			if line.form.MatchString(at) {
				skip = !line.back
				break
			}
		}
	}
	return skip
}

// globForm makes a pattern with *, ?, [] and ** a regular expression of whole paths.
func globForm(pattern string) (*regexp.Regexp, error) {
	var b strings.Builder
	b.WriteString("^")
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case strings.HasPrefix(pattern[i:], "**/"):
			b.WriteString("(?:.*/)?")
			i += 2
		case strings.HasPrefix(pattern[i:], "**"):
			b.WriteString(".*")
			i++
		case c == '*':
			b.WriteString("[^/]*")
		case c == '?':
			b.WriteString("[^/]")
		case c == '[':
			end := strings.IndexByte(pattern[i+1:], ']')
			if end < 1 {
				return nil, errors.New("a [ has no end")
			}
			b.WriteString(pattern[i : i+end+2])
			i += end + 1
		case c == '\\' && i+1 < len(pattern):
			i++
			b.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		default:
			b.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		}
	}
	return regexp.Compile(b.String() + "$")
}
