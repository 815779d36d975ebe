package compose

import (
	"regexp"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/secretive"
)

// removed stands in an App file where a secret stood among arguments.
const removed = "SECRET-REMOVED"

var (
	plainWord  = regexp.MustCompile(`^[a-z]{1,15}$`)
	secretFlag = regexp.MustCompile(`(?i)^--?[a-z0-9_.-]*(password|passwd|requirepass|passphrase|secret|token|api-?key|auth-key)$`)
)

// secretValue reports whether a variable's value must not stand in a file.
func (p *project) secretValue(name, value string) bool {
	switch {
	case value == "true" || value == "false":
		return false
	case p.holdsSecret(value):
		return true
	case value == "": // to be filled in
		return secretive.Name(name)
	}
	return secretive.Setting(name, value)
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
	return secretive.Remove(text, removed)
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
