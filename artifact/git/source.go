package git

import (
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/fairlead/fairlead"
)

var (
	hashForm   = regexp.MustCompile(`^[0-9a-f]{7,64}$`)
	schemeForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)
	helperForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9+.-]*::`)
	scpForm    = regexp.MustCompile(`^([A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*:[^:]`)
	control    = regexp.MustCompile(`[\x00-\x1f\x7f]`)
	refRefused = regexp.MustCompile(`[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[-/.]|[/.]$|\.lock$|^$`)
)

// check refuses what git must not see.
func (s Source) check() error {
	op := s.op()
	if len(s.Ref) > 255 || refRefused.MatchString(s.Ref) {
		return fairlead.Errorf(fairlead.Invalid, op, "%.80q is not the name of a branch, a tag or a commit", s.Ref)
	}
	if !filepath.IsAbs(s.Into) {
		return fairlead.Errorf(fairlead.Invalid, op, "%q is not an absolute path", s.Into)
	}
	return checkRepository(op, s.Repository)
}

func checkRepository(op, repository string) error {
	refuse := func(format string, args ...any) error {
		return fairlead.Errorf(fairlead.Invalid, op, format, args...).WithHint("give a path, or an https or ssh address")
	}
	switch {
	case repository == "" || len(repository) > 1024 || control.MatchString(repository):
		return refuse("this is not the address of a repository")
	case strings.HasPrefix(repository, "-"):
		return refuse("an address does not begin with -")
	case filepath.IsAbs(repository):
		return checkOwner(op, repository)
	case helperForm.MatchString(repository):
		return refuse("transport helpers are not used")
	case schemeForm.MatchString(repository):
		return checkURL(op, repository, refuse)
	case scpForm.MatchString(repository):
		return nil // ssh in its short form
	}
	return refuse("a path of a repository is absolute here")
}

func checkURL(op, repository string, refuse func(string, ...any) error) error {
	address, err := url.Parse(repository)
	if err != nil {
		return fairlead.Errorf(fairlead.Invalid, "clone", "the address of the repository cannot be read") // without it: it may hold a password
	}
	if _, secret := address.User.Password(); secret || address.Scheme == "https" && address.User != nil {
		return fairlead.Errorf(fairlead.Invalid, "clone", "the address of the repository holds credentials, which would be recorded").
			WithHint("leave them out and use an ssh key, or clone it yourself and give the path")
	}
	switch address.Scheme {
	case "file":
		if address.Host != "" && address.Host != "localhost" || !filepath.IsAbs(address.Path) {
			return refuse("a file address names an absolute path and no host")
		}
		return checkOwner(op, address.Path)
	case "https", "ssh":
		if address.Hostname() == "" || strings.HasPrefix(address.Hostname(), "-") || strings.HasPrefix(address.User.Username(), "-") {
			return refuse("it names no host")
		}
		return nil
	}
	return refuse("the scheme %.20q is not used", address.Scheme)
}
