package console

import (
	"html/template"
	"strings"
)

// icons are signs of our own drawing, 16 by 16, by name. Text beside one says what it
// means.
var icons = []struct{ name, drawing string }{
	{"safe", `<path d="M3 8.5 6.5 12 13 4.5"/>`},
	{"harm", `<path d="M4 4l8 8M12 4l-8 8"/>`},
	{"held", `<path d="M5.5 3.5v9M10.5 3.5v9"/>`},
	{"move", `<path d="M3 8h9.5M8.5 4l4 4-4 4"/>`},
	{"dot", `<circle cx="8" cy="8" r="2.5"/>`},
	{"live", `<circle cx="8" cy="8" r="4" fill="currentColor"/>`},
	{"again", `<circle cx="8" cy="8" r="5" stroke-dasharray="3 3"/>`},
	{"info", `<circle cx="8" cy="8" r="6.2"/><path d="M8 7.2v3.6M8 5v.1"/>`},
	{"warn", `<path d="M8 2 14.5 13.5H1.5zM8 6.5v3.2M8 11.6v.1"/>`},
	{"person", `<circle cx="8" cy="5" r="2.7"/><path d="M2.5 14c.6-3 2.6-4.5 5.5-4.5s4.9 1.5 5.5 4.5"/>`},
	{"arrow", `<path d="M3 8h10M9 4l4 4-4 4"/>`},
	{"back", `<path d="M13 8H3M7 4 3 8l4 4"/>`},
	{"file", `<path d="M4 1.8h5l3 3v9.4H4zM9 1.8v3h3"/>`},
	{"clock", `<circle cx="8" cy="8" r="6.2"/><path d="M8 4.5V8l2.3 1.5"/>`},
	{"copy", `<rect x="5.5" y="5.5" width="8" height="8" rx="1.5"/><path d="M10.5 3.5v-.2A1.3 1.3 0 0 0 9.2 2H3.8A1.3 1.3 0 0 0 2.5 3.3v5.4A1.3 1.3 0 0 0 3.8 10H4"/>`},
	{"lock", `<rect x="3" y="7" width="10" height="7" rx="1.5"/><path d="M5.3 7V5a2.7 2.7 0 0 1 5.4 0v2"/>`},
	{"down", `<path d="M8 2.5v8M4.5 7.5 8 11l3.5-3.5M3 13.5h10"/>`},
	{"add", `<path d="M8 3v10M3 8h10"/>`},
	{"remove", `<path d="M3 8h10"/>`},
	{"change", `<path d="M3 5.5h10M10 2.5l3 3-3 3M13 10.5H3M6 7.5l-3 3 3 3"/>`},
}

// drawings returns all icons once, which a page holds so that icon can name them.
func drawings() template.HTML {
	var out strings.Builder
	out.WriteString(`<svg class="visually-hidden" aria-hidden="true">`)
	for _, i := range icons {
		out.WriteString(`<symbol id="i-` + i.name + `" viewBox="0 0 16 16">` + i.drawing + `</symbol>`)
	}
	out.WriteString(`</svg>`)
	return template.HTML(out.String())
}

// icon shows the icon of a name.
func icon(name string) template.HTML {
	return template.HTML(`<svg class="icon" aria-hidden="true"><use href="#i-` + template.HTMLEscapeString(name) + `"/></svg>`)
}
