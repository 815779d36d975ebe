package console

import "html/template"

// words are the functions by which templates write numbers, dates and spans: one style
// everywhere, and units always.
func words() template.FuncMap {
	return template.FuncMap{}
}
