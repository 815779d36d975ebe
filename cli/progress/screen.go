package progress

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// Terminal is a terminal that is drawn on.
type Terminal struct {
	out   io.Writer
	size  func() (width, height int)
	style Style
	drawn int // lines of the last frame
}

// OpenTerminal returns the terminal behind out, or nil if out is not one that can
// be redrawn. getenv gives TERM, NO_COLOR and the locale.
func OpenTerminal(out io.Writer, getenv func(string) string, color bool) *Terminal {
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) || getenv("TERM") == "dumb" || getenv("TERM") == "" {
		return nil
	}
	size := func() (int, int) {
		width, height, err := term.GetSize(int(file.Fd()))
		if err != nil || width <= 0 || height <= 0 {
			return 80, 24
		}
		return width, height
	}
	return &Terminal{out: out, size: size, style: StyleFor(getenv, color)}
}

// StyleFor returns the style that the environment allows, 80 columns wide.
func StyleFor(getenv func(string) string, color bool) Style {
	locale := getenv("LC_ALL")
	for _, name := range []string{"LC_CTYPE", "LANG"} {
		if locale == "" {
			locale = getenv(name)
		}
	}
	locale = strings.ToUpper(locale)
	return Style{
		Width: 80,
		UTF8:  strings.Contains(locale, "UTF-8") || strings.Contains(locale, "UTF8"),
		Color: color && getenv("NO_COLOR") == "",
	}
}

// Style returns the terminal's style at its present width.
func (t *Terminal) Style() Style {
	s := t.style
	s.Width, _ = t.size()
	return s
}

// Draw replaces the last frame by lines, in one write so that nothing flickers.
// Lines below the terminal's height are left out.
func (t *Terminal) Draw(lines []string) error {
	_, height := t.size()
	if len(lines) > height-1 {
		lines = lines[:max(1, height-1)]
	}
	var b strings.Builder
	b.WriteString("\x1b[?25l") // hide the cursor
	t.home(&b)
	for _, line := range lines {
		b.WriteString(line + "\x1b[K\r\n")
	}
	b.WriteString("\x1b[J") // clear what an earlier, longer frame left
	t.drawn = len(lines)
	_, err := io.WriteString(t.out, b.String())
	return err
}

// Above replaces the last frame by lines that stay as they are, however long they are;
// the next frame is drawn below them.
func (t *Terminal) Above(lines []string) error {
	var b strings.Builder
	t.home(&b)
	b.WriteString("\x1b[J")
	for _, line := range lines {
		b.WriteString(line + "\r\n")
	}
	t.drawn = 0
	_, err := io.WriteString(t.out, b.String())
	return err
}

// Close shows the cursor again and leaves the last frame standing.
func (t *Terminal) Close() error {
	t.drawn = 0
	_, err := io.WriteString(t.out, "\x1b[?25h")
	return err
}

func (t *Terminal) home(b *strings.Builder) {
	if t.drawn > 0 {
		fmt.Fprintf(b, "\x1b[%dA", t.drawn)
	}
	b.WriteString("\r")
}
