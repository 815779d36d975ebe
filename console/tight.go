package console

import (
	"fmt"
	"strings"
)

// noBreak is a space at which no line ends.
const noBreak = "\u00a0"

// tight writes a text in which no line breaks between a number and its unit: a "%" that
// begins a line says nothing. What the API says stays as it is; only pages show this.
func tight(of any) string {
	words := strings.Split(fmt.Sprint(of), " ")
	var text strings.Builder
	for i, word := range words {
		switch {
		case i == 0:
		case endsInDigit(words[i-1]) && isUnit(word):
			text.WriteString(noBreak)
		default:
			text.WriteByte(' ')
		}
		text.WriteString(word)
	}
	return text.String()
}

func endsInDigit(word string) bool {
	return word != "" && '0' <= word[len(word)-1] && word[len(word)-1] <= '9'
}

// isUnit reports whether a word, without what ends a clause, is a unit of the figures.
func isUnit(word string) bool {
	switch strings.TrimRight(word, ".,;:)") {
	case "%", "ms", "s", "min", "h", "d", "KiB", "MiB", "GiB":
		return true
	}
	return false
}
