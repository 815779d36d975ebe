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
// has none, for an ADD of what the engine itself would fetch, and for what engines do
// not read alike.
func Bases(dockerfile []byte) ([]string, error) {
	const op = "read the Dockerfile"
	if err := plainText(dockerfile); err != nil {
		return nil, fairlead.Errorf(fairlead.Invalid, op, "%w", err).WithHint("%s", fairlead.HintOf(err))
	}
	arguments, stages := map[string]string{}, map[string]bool{}
	var bases []string
	for _, words := range instructions(dockerfile) {
		var name, stage string
		if words = triggered(words); len(words) == 0 {
			continue
		}
		if err := notBuilt(words); err != nil {
			return nil, fairlead.Errorf(fairlead.CodeOf(err), op, "%w", err).WithHint("%s", fairlead.HintOf(err))
		}
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
		default:
			continue
		}
		if strings.Contains(name, "$") || name == "" {
			return nil, fairlead.Errorf(fairlead.Invalid, op, "the base image %q has no value", name).
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

// triggered returns an instruction, or the one that it has the builds on it do: those of
// a later stage of the same file are among them.
func triggered(words []string) []string {
	for len(words) > 0 && strings.EqualFold(words[0], "ONBUILD") {
		words = words[1:]
	}
	return words
}

// notBuilt refuses an instruction by which a build would leave the network that it has,
// or have its engine open files of this machine to it.
func notBuilt(words []string) error {
	text := strings.Join(words, " ")
	switch strings.ToUpper(words[0]) {
	case "ADD":
		if fetches(strings.Join(words[1:], " ")) {
			return fairlead.Errorf(fairlead.Invalid, "", "%.80q: the engine would fetch that itself, from this machine's own network", text).
				WithHint("put the file into the context and write COPY, or fetch it in a RUN; COPY takes variables too")
		}
	case "RUN":
		if len(words) > 1 && strings.HasPrefix(words[1], "--") {
			return fairlead.Errorf(fairlead.Unsupported, "", "%.80q: a RUN takes no %.40q here: engines disagree on what it opens to the build", text, words[1]).
				WithHint("leave it out; or build it yourself, with docker buildx build, and name the image under spec.artifact.image, or save it and name the file under spec.artifact.archive")
		}
	}
	return nil
}

// Fetches refuses what an image has its children's builds do, where that may fetch
// something by its engine.
func (i Image) Fetches() error {
	text := []byte(strings.Join(i.OnBuild, "\n"))
	err := plainText(text)
	for _, words := range instructions(text) {
		if words = triggered(words); err == nil && len(words) > 0 {
			err = notBuilt(words)
		}
	}
	if err != nil {
		return fairlead.Errorf(fairlead.CodeOf(err), "", "it has each build on it do what none may: %w", err).WithHint("build on another image")
	}
	return nil
}

var escapeDirective = regexp.MustCompile("(?im)^[ \t]*#\\s*escape\\s*=\\s*`")

// plainText refuses what engines, and versions of one, take for different lines: whoever
// writes it could hide an instruction from who looks at the file before.
func plainText(file []byte) error {
	if escapeDirective.Match(file) {
		return fairlead.Errorf(fairlead.Invalid, "", "a comment of it says that lines go on with another sign than \\").WithHint("write \\ at the ends of lines that go on")
	}
	for at, c := range file {
		ends := c == '\r' && at+1 < len(file) && file[at+1] == '\n'
		if c < ' ' && c != '\n' && c != '\t' && !ends || c == 0x7f {
			return fairlead.Errorf(fairlead.Invalid, "", "its byte %d is the control character %#02x", at, c).WithHint("save it as plain text")
		}
	}
	return nil
}

// instructions returns the words of each instruction, without comments and with
// lines joined that go on, as engines join them: with nothing between.
func instructions(dockerfile []byte) [][]string {
	var all [][]string
	lines := bufio.NewScanner(bytes.NewReader(bytes.TrimPrefix(dockerfile, []byte("\ufeff"))))
	lines.Buffer(nil, MaxDockerfile+1)
	begun := ""
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if more, ok := strings.CutSuffix(strings.TrimRight(lines.Text(), " \t\r"), `\`); ok {
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
