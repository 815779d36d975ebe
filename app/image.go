package app

import (
	"fmt"
	"regexp"
	"strings"
)

// The forms of an image's reference, as the OCI distribution specification and the
// engines read them: [registry[:port]/]name[:tag][@digest].
const (
	hostPart      = `(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])`
	registryForm  = `(?:` + hostPart + `(?:\.` + hostPart + `)*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?`
	namePart      = `[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*`
	imageNameForm = `(?:` + registryForm + `/)?` + namePart + `(?:/` + namePart + `)*`
	tagForm       = `[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`
	digestForm    = `sha256:[0-9a-f]{64}`
	imagePattern  = `^` + imageNameForm + `(?::` + tagForm + `)?(?:@` + digestForm + `)?$`

	imageSays = `an image by tag or digest, such as registry.example/team/triage:3 or triage@sha256:...`
	longImage = 512 // of a whole reference; engines take names of 255
	longName  = 255
)

var (
	registryOnly = regexp.MustCompile(`^` + registryForm + `$`)
	namePartForm = regexp.MustCompile(`^` + namePart + `$`)
	tagOnly      = regexp.MustCompile(`^` + tagForm + `$`)
	digestOnly   = regexp.MustCompile(`^` + digestForm + `$`)
	bareID       = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// wrongImage says what is wrong with the reference of an image, or nothing.
func wrongImage(s string) string {
	switch {
	case strings.Contains(s, "://"):
		_, rest, _ := strings.Cut(s, "://")
		return fmt.Sprintf("an image has no scheme; write %q", clip(rest))
	case strings.ContainsAny(s, " \t\r\n"):
		return fmt.Sprintf("want %s, without spaces, found %q", imageSays, clip(s))
	}
	name, digest, hasDigest := strings.Cut(s, "@")
	if hasDigest && !digestOnly.MatchString(digest) {
		return fmt.Sprintf("the digest after @ is sha256: and 64 digits 0-9 and a-f, found %q", clip(digest))
	}
	if colon := strings.LastIndex(name, ":"); colon > strings.LastIndex(name, "/") {
		if tag := name[colon+1:]; !tagOnly.MatchString(tag) {
			return fmt.Sprintf("the tag after : has 1 to 128 letters, digits, _, . and -, and begins with none of . and -, found %q", clip(tag))
		}
		name = name[:colon]
	}
	return wrongImageName(name)
}

// wrongImageName says what is wrong with a reference less its tag and digest.
func wrongImageName(name string) string {
	switch {
	case len(name) > longName:
		return fmt.Sprintf("the image's name has %d characters; at most %d are allowed", len(name), longName)
	case bareID.MatchString(name):
		return "64 digits are an image's id, which only one machine knows; name the image by tag or digest"
	}
	parts := strings.Split(name, "/")
	if len(parts) > 1 && registryOnly.MatchString(parts[0]) && (strings.ContainsAny(parts[0], ".:[") || parts[0] == "localhost") {
		parts = parts[1:]
	}
	for _, part := range parts {
		switch lower := strings.ToLower(part); {
		case namePartForm.MatchString(part):
		case lower != part && namePartForm.MatchString(lower):
			return fmt.Sprintf("an image's name has small letters only: write %q for %q", clip(lower), clip(part))
		case part == "":
			return fmt.Sprintf("want %s; a part of the name is empty", imageSays)
		default:
			return fmt.Sprintf("want %s; %q is no part of a name: small letters and digits, with . _ or - between them", imageSays, clip(part))
		}
	}
	return ""
}
