package console

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/internal/figures"
)

// words are the functions by which templates write numbers, dates and spans: one style
// everywhere, and units always. The figures are those of the command line.
func words() template.FuncMap {
	return template.FuncMap{
		"count":    count,            // 12345 -> "12,345"
		"plural":   plural,           // 1 "request" "requests" -> "1 request"
		"share":    figures.Share,    // part whole, both uint64 -> "4.8 %"
		"percent":  figures.Percent,  // 0.048 -> "4.8 %"
		"millis":   figures.Millis,   // 24.4 -> "24 ms"
		"rate":     rate,             // 200 -> "200 requests/s"
		"bytes":    figures.Bytes,    // int64 -> "3.4 KiB"
		"release":  releaseName,      // "triage" 7 -> "triage@7", or "no release"
		"took":     took,             // two times -> "3 min 20 s"
		"clock":    clock,            // <time>12:03:04 UTC</time>
		"moment":   moment,           // <time>2026-11-23 12:03:04 UTC</time>
		"ago":      relative("ago"),  // a moment; live.js makes it "12 s ago" and keeps it true
		"since":    relative("for"),  // a moment; live.js makes it "12 s", the time since then
		"until":    relative("till"), // a moment to come; live.js makes it "in 12 s"
		"digest":   digest,           // shortened; whole when selected or copied, and as title
		"icon":     icon,             // a small sign by name
		"drawings": drawings,         // what the signs of a page look like
		"badge":    badge,            // tone words -> a sign and words; tones: safe, harm, held, move, quiet
		"arm":      arm,              // "old" or "new", and words -> with the arm's mark
		"copy":     copyButton,       // text label -> a button that copies, where there is JavaScript
		"tight":    tight,            // a text without a line break between a number and its unit
		"visible":  visible,          // foreign text, with signs for what could not be seen
	}
}

func count(n any) (string, error) {
	whole, err := natural(n)
	return figures.Count(whole), err
}

func plural(n any, one, many string) (string, error) {
	whole, err := natural(n)
	return figures.Plural(whole, one, many), err
}

// natural accepts the whole numbers that templates count with.
func natural(n any) (uint64, error) {
	switch v := n.(type) {
	case uint64:
		return v, nil
	case uint32:
		return uint64(v), nil
	case int:
		return uint64(max(0, v)), nil
	case int64:
		return uint64(max(0, v)), nil
	}
	return 0, fmt.Errorf("%T is not a number that can be counted", n)
}

func eOf(e, needed float64) string { return "E = " + figures.E(e) + " of " + figures.E(needed) }

func rate(perSecond float64) string { return figures.Rate(perSecond, "request", "requests") }

func releaseName(app string, number int) string {
	if number == 0 {
		return "no release"
	}
	return fmt.Sprintf("%s@%d", app, number)
}

func took(from, to time.Time) string {
	if from.IsZero() || to.IsZero() {
		return "-"
	}
	return figures.Elapsed(to.Sub(from))
}

// momentForm is how a moment is written: it sorts, and no country reads it wrongly.
const momentForm = "2006-01-02 15:04:05 UTC"

func moment(at time.Time) template.HTML { return timeElement("", at, momentForm) }

func clock(at time.Time) template.HTML { return timeElement("", at, "15:04:05 UTC") }

// relative returns a function that writes a moment which live.js shows as a span of the
// given kind. What the server writes does not change as time goes by: a part that shows
// nothing new is not sent again.
func relative(kind string) func(time.Time) template.HTML {
	return func(at time.Time) template.HTML { return timeElement(kind, at, momentForm) }
}

// timeElement writes a moment. Where live.js shows something else, or the text has no
// date, the title has it whole.
func timeElement(kind string, at time.Time, form string) template.HTML {
	if at.IsZero() {
		return "-"
	}
	at = at.UTC()
	more := ""
	if kind != "" {
		more = ` data-span="` + kind + `"`
	}
	if kind != "" || form != momentForm {
		more += ` title="` + at.Format(momentForm) + `"`
	}
	return template.HTML(`<time datetime="` + at.Format(time.RFC3339Nano) + `"` + more + `>` + at.Format(form) + `</time>`)
}

// digest shows the first digits; what is selected and copied is the whole.
func digest(d any) template.HTML {
	whole := fmt.Sprint(d)
	if whole == "" {
		return "-"
	}
	name, hex, ok := strings.Cut(whole, ":")
	if !ok {
		name, hex = "", whole
	} else {
		name += ":"
	}
	cut := min(12, len(hex))
	esc := template.HTMLEscapeString
	return template.HTML(fmt.Sprintf(`<code class="digest" title="%s"><span aria-hidden="true">%s</span>%s<span aria-hidden="true">%s</span></code>`,
		esc(whole), esc(name), esc(hex[:cut]), esc(hex[cut:])))
}

// badge is a sign and words in a tone, so that colour is never alone.
func badge(tone, text string) template.HTML {
	sign := tone
	if !slices.Contains([]string{"safe", "harm", "held", "move"}, tone) {
		tone, sign = "quiet", "dot"
	}
	return template.HTML(`<span class="badge badge-` + tone + `">` + string(icon(sign)) + template.HTMLEscapeString(text) + `</span>`)
}

// arm is text with the mark of a rollout's old or new release: a dashed line and a whole one.
func arm(which, text string) template.HTML {
	if which != "new" {
		which = "old"
	}
	return template.HTML(`<span class="arm-` + which + `">` + template.HTMLEscapeString(text) + `</span>`)
}

func copyButton(text, label string) template.HTML {
	esc := template.HTMLEscapeString
	return template.HTML(`<button type="button" class="button button-small copy" data-copy="` + esc(text) + `">` + string(icon("copy")) +
		`<span>` + esc(label) + `</span></button>`)
}

// outcome writes how a rollout ended as words.
func outcome(o client.Outcome) string {
	if o == client.RolledBack {
		return "rolled back"
	}
	return string(o)
}
