package compose

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/secretive"
)

// given carries the variables and secrets that a service gets.
type given struct{ *carrying }

// sortedNames returns a map's keys in order.
func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// settings returns the service's variables: those of its files, and over them its
// own. A name alone means the variable of the caller.
func (c given) settings() (set map[string]string, from map[string]string, err error) {
	set, from = map[string]string{}, map[string]string{}
	lookup := func(name string) (string, bool) {
		if value, known := set[name]; known {
			return value, true
		}
		value, known := c.project.env[name]
		return value, known
	}
	for _, file := range c.service.EnvFiles {
		values, err := variables(file.Path, lookup)
		if fairlead.CodeOf(err) == fairlead.NotFound && !bool(file.Required) {
			c.note(Idle, "env_file", "env_file: "+c.project.relativeName(file.Path), "there is no such file, and it need not be", "")
			continue
		}
		if err != nil {
			return nil, nil, c.unset(err)
		}
		maps.Copy(set, values)
		for name := range values {
			from[name] = c.project.relativeName(file.Path)
		}
		c.carried("env_file")
	}
	for name, value := range c.service.Environment {
		if value == nil {
			if callers, known := c.project.env[name]; known {
				set[name], from[name] = callers, "the environment"
			} else if _, known := set[name]; !known {
				c.note(Lost, "environment."+name, "environment: "+name, "it is to come from the environment of whoever starts it, and is not set here", "set it under spec.env, or as a secret")
			}
			continue
		}
		set[name], from[name] = *value, "environment"
	}
	return set, from, nil
}

// unset says that a file of variables cannot be read, and who names it.
func (c given) unset(err error) error {
	place := c.project.places.place("services." + c.made.Name + ".env_file")
	e := fairlead.Errorf(fairlead.CodeOf(err), "import "+c.project.places.documents[0].file, "%s: %w", place, err)
	if fairlead.CodeOf(err) == fairlead.NotFound {
		return e.WithHint("make it, or say that it need not be: env_file: {path: FILE, required: false}")
	}
	return e
}

// environment carries variables: secrets by name, and addresses of other services
// as they are reached here.
func (c given) environment() error {
	set, from, err := c.settings()
	if err != nil {
		return err
	}
	for _, name := range sortedNames(set) {
		if secretive.Name(name) {
			c.project.keepSecret(set[name])
		}
	}
	env := map[string]string{}
	for _, name := range sortedNames(set) {
		value, path := set[name], "environment."+name
		switch {
		case name == "PORT":
			c.ownPort(path, value)
		case strings.HasPrefix(name, "FAIRLEAD_"):
			c.note(Lost, path, "environment: "+name, "Fairlead's own variables begin so", "give it another name")
		case c.project.secretValue(name, value):
			c.secretVariable(name, value, from[name])
		default:
			env[name] = addresses(c).address(name, value)
		}
	}
	for _, name := range sortedNames(env) {
		if wrong := c.offer("spec.env", func(s *fairlead.AppSpec) {
			s.Env = maps.Clone(s.Env)
			if s.Env == nil {
				s.Env = map[string]string{}
			}
			s.Env[name] = env[name]
		}); wrong != "" {
			c.note(Lost, "environment."+name, "environment: "+clip(name), wrong, "name it otherwise, or leave it out")
		}
	}
	if len(c.spec.Env) > 0 {
		c.carried("environment")
	}
	return nil
}

// ownPort takes the port that the app listens on from its variable.
func (c given) ownPort(path, value string) {
	var port int
	if _, err := fmt.Sscanf(value, "%d", &port); err != nil || port < 1 || port > 65535 {
		c.note(Lost, path, "environment: PORT", "Fairlead sets $PORT itself, and this is no port", "write the app's port as spec.port")
		return
	}
	c.spec.Port = port
	c.carried("environment")
	c.note(Changed, path, "environment: PORT", "Fairlead sets $PORT from spec.port", "")
}

// secretVariable has the app get a variable's value as a file.
func (c given) secretVariable(name, value, from string) {
	c.project.keepSecret(value)
	c.addSecret(Secret{Name: name, Of: from, Command: fmt.Sprintf(`printf %%s "$%s" | fairlead secret set %s --env production`, name, name)})
	why := "a secret, which the app gets as the file /run/secrets/" + name + ", not as a variable"
	if secretive.Password(value) {
		why = "holds a password: " + why
	}
	instead := "have the app read it there; some know " + name + "_FILE"
	if told := addresses(c).inside(value); told != "" {
		instead += "; and store it with " + told
	}
	c.note(Lost, "environment."+name, "environment: "+name, why, instead)
	c.remark("spec.secrets", "TODO: the app reads %s from the file /run/secrets/%s, no longer from its environment.", name, name)
}

// addSecret names a secret in the App, once.
func (c given) addSecret(s Secret) {
	same := func(r fairlead.SecretRef) bool { return r.Name == s.Name }
	if slices.ContainsFunc(c.spec.Secrets, same) {
		return
	}
	c.spec.Secrets = append(c.spec.Secrets, fairlead.SecretRef{Name: s.Name})
	c.made.Secrets = append(c.made.Secrets, s)
}

// secrets carries secrets that are files already, and stay at the same path.
func (c given) secrets() error {
	for i, used := range c.service.Secrets {
		path := fmt.Sprintf("secrets.%d", i)
		name := used.Source
		if at := strings.TrimPrefix(used.Target, "/run/secrets/"); used.Target != "" && at != name {
			if strings.Contains(at, "/") {
				c.note(Lost, path, "secrets: "+name+" at "+used.Target, "secrets are files in /run/secrets", "have the app read /run/secrets/"+name)
			} else {
				name = at
			}
		}
		if used.UID != "" || used.GID != "" || used.Mode != nil {
			c.note(Idle, path, "secrets: "+used.Source+": uid, gid, mode", "the app's own user alone may read its secrets", "")
		}
		if wrong := c.offer("spec.secrets", func(s *fairlead.AppSpec) {
			s.Secrets = append(slices.Clone(s.Secrets), fairlead.SecretRef{Name: name})
		}); wrong != "" {
			c.note(Lost, path, "secrets: "+name, wrong, "name it otherwise")
			continue
		}
		c.made.Secrets = append(c.made.Secrets, c.project.keptSecret(name, used.Source))
		c.carried("secrets")
	}
	return nil
}

// keptSecret says where a secret of the compose file is kept today.
func (p *project) keptSecret(name, source string) Secret {
	set := "fairlead secret set " + name + " --env production"
	kept := p.types.Secrets[source]
	switch {
	case kept.File != "":
		file := p.relativeName(kept.File)
		return Secret{Name: name, Of: file, Command: set + " --file " + shellWord(file)}
	case kept.Environment != "":
		p.keepSecret(p.env[kept.Environment])
		return Secret{Name: name, Of: "$" + kept.Environment, Command: fmt.Sprintf(`printf %%s "$%s" | %s`, kept.Environment, set)}
	}
	return Secret{Name: name, Of: "another place", Command: set}
}

// relativeName is a path for people: from the compose file's directory where it lies below it.
func (p *project) relativeName(path string) string {
	if rel, ok := strings.CutPrefix(path, p.dir+"/"); ok {
		return rel
	}
	return path
}

// shellWord quotes a word for a shell where it needs to be.
func shellWord(word string) string {
	plain := func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/", r)
	}
	if word != "" && !strings.ContainsFunc(word, plain) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
