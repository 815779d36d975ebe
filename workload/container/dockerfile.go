package container

import (
	"bufio"
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/fairlead/fairlead"
)

// MaxDockerfile is the most bytes of a Dockerfile.
const MaxDockerfile = 1 << 20

// Bases returns the images that a Dockerfile begins with or copies from, each once,
// in order; scratch and its own stages are none. See
// https://docs.docker.com/reference/dockerfile for its form.
//
// Errors: invalid for a name that only arguments of a build would tell, for a build
// has none, and for an ADD of what the engine itself would fetch.
func Bases(dockerfile []byte) ([]string, error) {
	arguments, stages := map[string]string{}, map[string]bool{}
	var bases []string
	for _, words := range instructions(dockerfile) {
		var name, stage string
		switch word := strings.ToUpper(words[0]); {
		case word == "ARG" && len(bases) == 0 && len(stages) == 0:
			for _, argument := range words[1:] {
				key, value, _ := strings.Cut(argument, "=")
				arguments[key] = strings.Trim(value, `"'`)
			}
			continue
		case word == "FROM":
			rest := slices.DeleteFunc(words[1:], func(w string) bool { return strings.HasPrefix(w, "--") })
			if len(rest) == 0 {
				continue // the engine says what is wrong with it
			}
			name = expand(rest[0], arguments)
			if len(rest) == 3 && strings.EqualFold(rest[1], "AS") {
				stage = strings.ToLower(rest[2])
			}
		case word == "COPY":
			for _, w := range words[1:] {
				if from, ok := strings.CutPrefix(w, "--from="); ok {
					name = from
				}
			}
			if strings.Trim(name, "0123456789") == "" {
				continue // a stage by its number, or the context
			}
		case word == "ADD" && fetches(strings.Join(words[1:], " ")):
			return nil, fairlead.Errorf(fairlead.Invalid, "read the Dockerfile", "%.80q: the engine would fetch that itself, from this machine's own network", strings.Join(words, " ")).
				WithHint("put the file into the context and write COPY, or fetch it in a RUN; COPY takes variables too")
		default:
			continue
		}
		if strings.Contains(name, "$") || name == "" {
			return nil, fairlead.Errorf(fairlead.Invalid, "read the Dockerfile", "the base image %q has no value", name).
				WithHint("give its ARG a value before the first FROM: a build for a release has no arguments")
		}
		if name != "scratch" && !stages[strings.ToLower(name)] && !slices.Contains(bases, name) {
			bases = append(bases, name)
		}
		if stage != "" {
			stages[stage] = true
		}
	}
	return bases, nil
}

// fetches reports whether an ADD may have its engine fetch something: past the network
// that the build has, and from this machine's own loopback if that is what it names.
// What only the engine would work out, such as a variable, may.
func fetches(sources string) bool {
	plain := strings.NewReplacer(`"`, "", "'", "").Replace(sources)
	return strings.Contains(plain, "://") || strings.Contains(plain, "git@") || strings.ContainsAny(plain, `$\`)
}

// Fetches refuses what an image has its children's builds do, where that may fetch
// something by its engine.
func (i Image) Fetches() error {
	for _, words := range instructions([]byte(strings.Join(i.OnBuild, "\n"))) {
		if strings.EqualFold(words[0], "ADD") && fetches(strings.Join(words[1:], " ")) {
			return fairlead.Errorf(fairlead.Invalid, "", "it has each build on it do %.80q, which the engine would fetch from this machine's own network", strings.Join(words, " ")).
				WithHint("build on another image")
		}
	}
	return nil
}

var escapeDirective = regexp.MustCompile("(?i)^#\\s*escape\\s*=\\s*`")

// instructions returns the words of each instruction, without comments and with
// lines joined that go on, as engines join them: with nothing between.
func instructions(dockerfile []byte) [][]string {
	var all [][]string
	lines := bufio.NewScanner(bytes.NewReader(bytes.TrimPrefix(dockerfile, []byte("\ufeff"))))
	lines.Buffer(nil, MaxDockerfile+1)
	begun, escape, top := "", `\`, true
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if top = top && strings.HasPrefix(line, "#"); top && escapeDirective.MatchString(line) {
			escape = "`"
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if more, ok := strings.CutSuffix(strings.TrimRight(lines.Text(), " \t\r"), escape); ok {
			begun += more
			continue
		}
		if words := strings.Fields(begun + lines.Text()); len(words) > 0 {
			all = append(all, words)
		}
		begun = ""
	}
	if words := strings.Fields(begun); len(words) > 0 {
		all = append(all, words)
	}
	return all
}

var variable = regexp.MustCompile(`\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})`)

// expand puts the values of arguments in their places; one without a value stays.
func expand(text string, arguments map[string]string) string {
	return variable.ReplaceAllStringFunc(text, func(found string) string {
		parts := variable.FindStringSubmatch(found)
		if value := arguments[parts[1]+parts[2]]; value != "" {
			return value
		}
		if parts[3] != "" {
			return parts[3]
		}
		return found
	})
}
