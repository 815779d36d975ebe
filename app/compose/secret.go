package compose

import (
	"regexp"
	"slices"
	"strings"
)

// removed stands in an App file where a secret stood among arguments.
const removed = "SECRET-REMOVED"

var (
	secretWord  = regexp.MustCompile(`(?i)(^|[_.-])(password|passwd|passphrase|pass|secret|token|key|apikey|api_key|credentials?|dsn)$`)
	publicName  = regexp.MustCompile(`(?i)(public|pub|partition|primary|sort|routing|cache|idempotency|publishable)[_.-]?key$`)
	secretForm  = regexp.MustCompile(`\bsk-[A-Za-z0-9_-]{16,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bhf_[A-Za-z0-9]{20,}|\bAKIA[0-9A-Z]{16}\b|\bxox[abprs]-[\w-]{10,}|-----BEGIN [A-Z ]*PRIVATE KEY|\bAIza[\w-]{30,}|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}`)
	inURL       = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@`)
	plainWord   = regexp.MustCompile(`^[a-z]{1,15}$`)
	secretFlag  = regexp.MustCompile(`(?i)^--?[a-z0-9_.-]*(password|passwd|requirepass|passphrase|secret|token|api-?key|auth-key)$`)
	smallNumber = regexp.MustCompile(`^\d{0,6}$`)
)

// secretName reports whether a variable of this name holds a secret, by custom.
func secretName(name string) bool {
	return secretWord.MatchString(name) && !publicName.MatchString(name)
}

// secretValue reports whether a variable's value must not stand in a file.
func (p *project) secretValue(name, value string) bool {
	switch {
	case value == "true" || value == "false":
		return false
	case secretForm.MatchString(value) || inURL.MatchString(value):
		return true
	case p.holdsSecret(value):
		return true
	case strings.HasPrefix(value, "/") || value != "" && smallNumber.MatchString(value):
		return false // a path, or a limit of tokens
	}
	return secretName(name)
}

// keepSecret remembers a value that is secret wherever it stands. A word such as
// "postgres" is too common for that.
func (p *project) keepSecret(value string) {
	if len(value) >= 8 && !plainWord.MatchString(value) && !strings.HasPrefix(value, "/") && !slices.Contains(p.secrets, value) {
		p.secrets = append(p.secrets, value)
	}
}

func (p *project) holdsSecret(text string) bool {
	return slices.ContainsFunc(p.secrets, func(secret string) bool { return strings.Contains(text, secret) })
}

// withoutSecrets takes secrets out of text for people.
func (p *project) withoutSecrets(text string) string {
	for _, secret := range p.secrets {
		text = strings.ReplaceAll(text, secret, removed)
	}
	text = inURL.ReplaceAllString(text, removed)
	return secretForm.ReplaceAllString(text, removed)
}

// publicArguments returns a command's arguments with its secrets removed, and
// whether there were any.
func (p *project) publicArguments(arguments []string) (public []string, found bool) {
	public = slices.Clone(arguments)
	for i, argument := range public {
		flag, value, joined := strings.Cut(argument, "=")
		switch {
		case joined && secretFlag.MatchString(flag) && value != "":
			public[i], found = flag+"="+removed, true
		case i > 0 && secretFlag.MatchString(public[i-1]) && !strings.HasPrefix(argument, "-"):
			public[i], found = removed, true
		default:
			clean := p.withoutSecrets(argument)
			public[i], found = clean, found || clean != argument
		}
	}
	return public, found
}
