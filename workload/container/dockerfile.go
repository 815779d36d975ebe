package container

import (
	"bufio"
	"bytes"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/fairlead/fairlead"
)

// MaxDockerfile is the most bytes of a Dockerfile.
const MaxDockerfile = 1 << 20

// Bases returns the images that a Dockerfile begins with or copies from, each once,
// in order; scratch and its own stages are none, and of what follows the stage target
// there are none either. arguments are the values that the build gives its ARGs. See
// https://docs.docker.com/reference/dockerfile for its form.
//
// Errors: invalid for a name that arguments do not tell, for arguments and a target
// that the file does not have, for an ADD of what the engine itself would fetch, and
// for what engines do not read alike; unsupported for what opens the machine to a RUN.
func Bases(dockerfile []byte, arguments map[string]string, target string) ([]string, error) {
	r := reading{given: arguments, target: target, values: map[string]string{}, declared: map[string]bool{}, stages: map[string]bool{}}
	err := plainText(dockerfile)
	for _, words := range instructions(dockerfile) {
		if words = triggered(words); err == nil && len(words) > 0 {
			err = r.take(words)
		}
	}
	if err == nil {
		err = r.asked()
	}
	if err != nil {
		return nil, fairlead.Errorf(fairlead.CodeOf(err), "read the Dockerfile", "%w", err).WithHint("%s", fairlead.HintOf(err))
	}
	return r.bases, nil
}

// reading is what has been read of a Dockerfile.
type reading struct {
	given    map[string]string // values that the build gives to ARGs
	target   string
	values   map[string]string // of ARGs before the first FROM
	declared map[string]bool   // ARGs, wherever they are
	begun    bool              // a FROM has been read
	stages   map[string]bool   // by name, in small letters
	names    []string          // of stages, as they are written
	stage    string            // that is read, in small letters; nothing for one without a name
	passed   bool              // the target's end
	bases    []string
}

// take reads one instruction.
func (r *reading) take(words []string) error {
	if err := notBuilt(words); err != nil {
		return err
	}
	switch strings.ToUpper(words[0]) {
	case "ARG":
		r.argument(words[1:])
	case "FROM":
		return r.from(words[1:])
	case "COPY":
		for _, w := range words[1:] {
			if name, ok := strings.CutPrefix(w, "--from="); ok && strings.Trim(name, "0123456789") != "" { // no stage by its number
				return r.base(name)
			}
		}
	}
	return nil
}

// argument reads an ARG. Those before the first FROM have their values in names of bases.
func (r *reading) argument(words []string) {
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		r.declared[name] = true
		if given, ok := r.given[name]; ok {
			value = given
		} else {
			value = expand(strings.Trim(value, `"'`), r.values)
		}
		if !r.begun {
			r.values[name] = value
		}
	}
}

// from begins a stage.
func (r *reading) from(words []string) error {
	words = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return strings.HasPrefix(w, "--") })
	r.begun, r.passed, r.stage = true, r.passed || r.target != "" && r.stage == strings.ToLower(r.target), ""
	if len(words) == 0 {
		return nil // the engine says what is wrong with it
	}
	if err := r.base(expand(words[0], r.values)); err != nil {
		return err
	}
	if len(words) == 3 && strings.EqualFold(words[1], "AS") {
		r.stage = strings.ToLower(words[2])
		if r.stages[r.stage] && r.stage == strings.ToLower(r.target) {
			return fairlead.Errorf(fairlead.Invalid, "", "two of its stages are called %s, which spec.artifact.target names", words[2]).WithHint("give one of them another name")
		}
		r.stages[r.stage], r.names = true, append(r.names, words[2])
	}
	return nil
}

// base notes an image that the build needs.
func (r *reading) base(name string) error {
	switch {
	case r.passed || name == "scratch" || r.stages[strings.ToLower(name)] || slices.Contains(r.bases, name):
	case name == "" || strings.Contains(name, "$"):
		return fairlead.Errorf(fairlead.Invalid, "", "the base image %q has no value", name).
			WithHint("give its ARG a value before the first FROM, or under spec.artifact.buildArgs")
	default:
		r.bases = append(r.bases, name)
	}
	return nil
}

// asked refuses arguments and a target that the file does not have.
func (r *reading) asked() error {
	if r.target != "" && !slices.Contains(r.names, r.target) {
		hint := "it has none with a name: write FROM ... AS " + r.target
		if len(r.names) > 0 {
			hint = "its stages are: " + strings.Join(r.names, ", ")
		}
		return fairlead.Errorf(fairlead.Invalid, "", "it has no stage %s, which spec.artifact.target names", r.target).WithHint("%s", hint)
	}
	for _, name := range slices.Sorted(maps.Keys(r.given)) {
		if !r.declared[name] && !slices.Contains(proxies(), strings.ToUpper(name)) {
			return fairlead.Errorf(fairlead.Invalid, "", "it has no ARG %s, to which spec.artifact.buildArgs gives a value", name).
				WithHint("write ARG %s in the stage that uses it, or take it out of the App file", name)
		}
	}
	return nil
}

// proxies are the arguments that every Dockerfile has.
func proxies() []string {
	return []string{"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"}
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
