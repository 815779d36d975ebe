// Package secretive tells what is a secret by custom: by the name of a setting, and by
// the form of a token or a password in text. It guesses: what it takes for none may be
// one all the same. All functions are pure.
package secretive

import (
	"regexp"
	"strings"
)

var (
	word        = regexp.MustCompile(`(?i)(^|[_.-])(password|passwd|passphrase|pass|secret|token|key|apikey|api_key|credentials?|dsn)$`)
	public      = regexp.MustCompile(`(?i)(public|pub|partition|primary|sort|routing|cache|idempotency|publishable)[_.-]?key$`)
	form        = regexp.MustCompile(`\bsk-[A-Za-z0-9_-]{16,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bhf_[A-Za-z0-9]{20,}|\bAKIA[0-9A-Z]{16}\b|\bxox[abprs]-[\w-]{10,}|-----BEGIN [A-Z ]*PRIVATE KEY|\bAIza[\w-]{30,}|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}`)
	inURL       = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@`)
	smallNumber = regexp.MustCompile(`^\d{0,6}$`)
)

// Name reports whether a setting of this name holds a secret, by custom: API_TOKEN does,
// PUBLIC_KEY does not.
func Name(name string) bool { return word.MatchString(name) && !public.MatchString(name) }

// Text reports whether a token or a password stands in text.
func Text(text string) bool { return form.MatchString(text) || inURL.MatchString(text) }

// Password reports whether a URL with a password stands in text.
func Password(text string) bool { return inURL.MatchString(text) }

// Setting reports whether a setting's value is a secret, by its form or its name. A
// switch, a path and a small number, such as a limit of tokens, are none.
func Setting(name, value string) bool {
	switch {
	case value == "true" || value == "false":
		return false
	case Text(value):
		return true
	case strings.HasPrefix(value, "/") || smallNumber.MatchString(value):
		return false
	}
	return Name(name)
}

// Remove puts mark in the place of each token and password in text.
func Remove(text, mark string) string {
	return form.ReplaceAllString(inURL.ReplaceAllString(text, mark), mark)
}
