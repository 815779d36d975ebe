package container

import (
	"encoding/base64"
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"github.com/fairlead/fairlead/internal/secretive"
)

// removed stands where a secret stood in what an engine, a registry or a build says.
const removed = "[removed]"

// hiddenError is an error whose words are without what must not be repeated.
type hiddenError struct {
	error
	text string
}

// Error returns the words that are left.
func (e *hiddenError) Error() string { return e.text }

// Unwrap returns the error as it was.
func (e *hiddenError) Unwrap() error { return e.error }

// hide takes the credentials out of an error's words: a registry may answer with what it
// was sent, and the engine passes that on.
func (c Credentials) hide(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for _, secret := range []string{c.header(), c.password, c.token} {
		for _, form := range []string{secret, url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte(c.user + ":" + secret))} {
			if len(secret) > 3 { // less is found by trying, and stands in many words
				text = strings.ReplaceAll(text, form, removed)
			}
		}
	}
	return &hiddenError{err, text}
}

// onScreen makes what a stranger says fit for a terminal and a record: without signs that
// steer a terminal, and without what is a secret by its form.
func onScreen(text string) string {
	text = strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, steering.ReplaceAllString(strings.ToValidUTF8(text, " "), ""))
	return secretive.Remove(text, removed)
}

// steering are the usual signs of colour, and those of their kind.
var steering = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)

// ShownHost is where an engine listens, as it may be shown: without the password of a URL.
func ShownHost(host string) string { return secretive.Remove(host, removed) }
