package console

import (
	"net/http"
	"strings"
)

// download answers with a file to keep.
func download(w http.ResponseWriter, name, kind string, data []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `attachment; filename="`+plainName(name)+`"`)
	_, _ = w.Write(data) // a browser that went away misses nothing
}

// plainName is the name of a file in letters that every system takes.
func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return '-'
	}, name)
}

// plainCell keeps a spreadsheet from taking text for a formula. Text that begins with an
// apostrophe gets another one, so that what was added can be told from what was there.
func plainCell(text string) string {
	if strings.HasPrefix(strings.TrimLeft(text, " "), "'") || strings.ContainsAny(text[:min(1, len(text))], "=+-@\t\r\n") {
		return "'" + text
	}
	return text
}

func plainCells(texts ...string) []string {
	cells := make([]string, len(texts))
	for i, text := range texts {
		cells[i] = plainCell(text)
	}
	return cells
}
