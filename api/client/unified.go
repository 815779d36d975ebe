package client

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// WriteUnified writes a difference as text: what changed of each part, and diffs of texts
// in the unified form, which other tools read and colour. Lines that are no part of a
// diff begin with "#". It stops at w's first error, which it returns.
func WriteUnified(w io.Writer, d Difference) error {
	var out strings.Builder
	fmt.Fprintf(&out, "# %s@%d", d.App, d.To)
	if d.From > 0 {
		fmt.Fprintf(&out, ", compared with %s@%d", d.App, d.From)
	}
	if d.Why != "" {
		fmt.Fprintf(&out, ": %s", d.Why)
	}
	out.WriteString("\n")
	if d.Empty() {
		out.WriteString("# nothing differs\n")
	}
	for _, p := range d.Parts {
		if p.Change == Same {
			continue
		}
		fmt.Fprintf(&out, "\n# %s\n", p.Part)
		for _, v := range p.Values {
			writeValue(&out, v)
		}
		for _, f := range p.Files {
			writeFile(&out, f)
		}
		if p.More > 0 {
			fmt.Fprintf(&out, "# and %d more\n", p.More)
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func writeValue(out *strings.Builder, v ValueChange) {
	name := quoted(v.Name)
	switch v.Change {
	case Added:
		fmt.Fprintf(out, "#   %s: %s (added)\n", name, quoted(v.After))
	case Removed:
		fmt.Fprintf(out, "#   %s: %s (removed)\n", name, quoted(v.Before))
	default:
		fmt.Fprintf(out, "#   %s: %s -> %s\n", name, quoted(v.Before), quoted(v.After))
	}
}

func writeFile(out *strings.Builder, f FileChange) {
	path := quoted(f.Path)
	what := f.Change
	if f.Was != "" {
		what += " from " + quoted(f.Was)
	}
	for _, more := range []string{f.Note, f.NoDiff} {
		if more != "" {
			what += "; " + quoted(more)
		}
	}
	fmt.Fprintf(out, "# %s: %s, %d -> %d bytes\n", path, what, f.Bytes[0], f.Bytes[1])
	if f.Diff == "" {
		return
	}
	before, after := "a/"+path, "b/"+path
	if f.Change == Added {
		before = "/dev/null"
	}
	if f.Change == Removed {
		after = "/dev/null"
	}
	fmt.Fprintf(out, "--- %s\n+++ %s\n%s", before, after, f.Diff)
	if f.Cut > 0 {
		fmt.Fprintf(out, "# and %d more lines\n", f.Cut)
	}
}

// quoted keeps a text on its line.
func quoted(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}
