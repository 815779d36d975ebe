package compose

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/interpolation"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/template"
	"github.com/compose-spec/compose-go/v2/tree"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/sirupsen/logrus"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/secretive"
)

// What a compose file may hold at most: it may be a stranger's.
const (
	mostBytes    = 1 << 20 // of each file
	mostFiles    = 50      // that refer to each other
	mostServices = 100
	mostPorts    = 100 // in one range
)

// project is a compose project that was read: every service, with all profiles.
type project struct {
	dir      string // absolute, of the first file
	types    *types.Project
	model    map[string]any    // the same as plain values, which tells what was written
	places   *places           // where things stand
	env      map[string]string // of variables
	missing  []string          // variables that were set nowhere
	secrets  []string          // values that are known to be secret
	override string            // file beside it that compose would merge and that was not named, or ""
}

// names returns the services' names, in the order of the file.
func (p *project) names() []string {
	names := slices.Sorted(maps.Keys(p.types.Services))
	slices.SortStableFunc(names, func(a, b string) int {
		return p.places.line("services."+a) - p.places.line("services."+b)
	})
	return names
}

// read reads the files of o as compose would, within limits.
func read(ctx context.Context, o Options) (*project, error) {
	op := "import " + strings.Join(o.Files, " ")
	dir, err := filepath.Abs(filepath.Dir(o.Files[0]))
	if err != nil {
		return nil, fmt.Errorf("find the directory of %s: %w", o.Files[0], err)
	}
	p := &project{dir: dir, places: &places{}}
	details := types.ConfigDetails{WorkingDir: dir}
	vet := &vetting{places: p.places}
	for _, file := range o.Files {
		data, err := vet.file(file)
		if err != nil {
			return nil, during(op, err)
		}
		abs, err := filepath.Abs(file)
		if err != nil {
			return nil, fmt.Errorf("find %s: %w", file, err)
		}
		details.ConfigFiles = append(details.ConfigFiles, types.ConfigFile{Filename: abs, Content: data})
	}
	if p.env, err = environment(dir, o.Environ); err != nil {
		return nil, during(op, err)
	}
	details.Environment = p.env
	p.override = overrideBeside(o.Files)
	if err := p.load(ctx, details); err != nil {
		return nil, during(op, p.places.explain(err))
	}
	if len(p.types.Services) > mostServices {
		return nil, fairlead.Errorf(fairlead.Invalid, op, "it has %d services; at most %d can be imported", len(p.types.Services), mostServices)
	}
	if len(p.types.Services) == 0 {
		return nil, fairlead.Errorf(fairlead.Invalid, op, "%s has no services", o.Files[0]).WithHint("a compose file begins with: services:")
	}
	return p, nil
}

// during names the operation of an error.
func during(op string, err error) error {
	var e *fairlead.Error
	if errors.As(err, &e) {
		return &fairlead.Error{Code: e.Code, Op: op, Err: e.Err, Hint: e.Hint}
	}
	return &fairlead.Error{Code: fairlead.Invalid, Op: op, Err: err}
}

// load has compose's own reader make the project. Files that services read their
// environment from are read later, within limits.
func (p *project) load(ctx context.Context, details types.ConfigDetails) error {
	// Its warnings would go to standard error; what they say is in our own notes.
	logrus.SetOutput(io.Discard)
	name := loader.NormalizeProjectName(filepath.Base(p.dir))
	if name == "" {
		name = "project"
	}
	options := loader.ToOptions(&details, []func(*loader.Options){func(l *loader.Options) {
		l.SkipNormalization = true
		l.SkipResolveEnvironment = true
		l.SkipResolveLabels = true
		l.Profiles = []string{"*"}
		l.SetProjectName(name, false)
		p.interpolate(l.Interpolate)
	}})
	var err error
	if p.model, err = loader.LoadModelWithContext(ctx, details, func(l *loader.Options) { *l = without(*options) }); err != nil {
		return err
	}
	p.types, err = loader.ModelToProject(withDefaultNetwork(clone(p.model)), options, details)
	slices.Sort(p.missing)
	p.missing = slices.Compact(p.missing)
	return err
}

// without is o as it was before the reader of local files was added to it, which
// the loader adds itself.
func without(o loader.Options) loader.Options {
	o.ResourceLoaders = nil
	return o
}

// withDefaultNetwork adds the network that every project has, which a service may name
// though the file does not.
func withDefaultNetwork(model map[string]any) map[string]any {
	networks, _ := model["networks"].(map[string]any)
	if networks == nil {
		networks = map[string]any{}
		model["networks"] = networks
	}
	if _, declared := networks["default"]; !declared {
		networks["default"] = map[string]any{}
	}
	return model
}

// clone copies the mappings and lists of a model.
func clone(m map[string]any) map[string]any {
	var copied func(v any) any
	copied = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			all := make(map[string]any, len(v))
			for key, value := range v {
				all[key] = copied(value)
			}
			return all
		case []any:
			all := make([]any, len(v))
			for i := range v {
				all[i] = copied(v[i])
			}
			return all
		}
		return v
	}
	return copied(m).(map[string]any)
}

// plainVariable finds variables that have no default, and escaped dollars, which
// are none.
var plainVariable = regexp.MustCompile(`\$\$|\$([A-Za-z_][A-Za-z0-9_]*)|\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// interpolate has each variable that is set nowhere remembered, and bounds what a
// range of ports becomes.
func (p *project) interpolate(o *interpolation.Options) {
	o.Substitute = func(text string, lookup template.Mapping) (string, error) {
		for _, found := range plainVariable.FindAllStringSubmatch(text, -1) {
			name := found[1] + found[2]
			if _, set := lookup(name); !set && name != "" {
				p.missing = append(p.missing, name)
			}
		}
		return template.Substitute(text, func(name string) (string, bool) {
			value, set := lookup(name)
			if secretive.Name(name) {
				p.keepSecret(value)
			}
			return value, set
		})
	}
	casts := maps.Clone(o.TypeCastMapping)
	for _, list := range []string{"ports", "expose"} {
		casts[tree.NewPath("services", tree.PathMatchAll, list, tree.PathMatchList)] = boundedPorts
	}
	o.TypeCastMapping = casts
}

var portRange = regexp.MustCompile(`(\d+)-(\d+)`)

// boundedPorts refuses a range of very many ports, each of which the loader would
// make an entry of its own.
func boundedPorts(text string) (any, error) {
	for _, found := range portRange.FindAllStringSubmatch(text, -1) {
		from, _ := strconv.Atoi(found[1])
		to, _ := strconv.Atoi(found[2])
		if to-from >= mostPorts {
			return nil, fmt.Errorf("%s are more than %d ports", found[0], mostPorts)
		}
	}
	return text, nil
}

// environment is what variables mean: those of the caller, and beneath them those
// of the file .env in the project's directory.
func environment(dir string, environ []string) (map[string]string, error) {
	caller := map[string]string{}
	for _, variable := range environ {
		if name, value, ok := strings.Cut(variable, "="); ok {
			caller[name] = value
		}
	}
	env, err := variables(filepath.Join(dir, ".env"), func(name string) (string, bool) {
		value, set := caller[name]
		return value, set
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if env == nil {
		env = map[string]string{}
	}
	maps.Copy(env, caller)
	return env, nil
}

// variables reads a file of variables, of at most mostBytes.
func variables(file string, lookup dotenv.LookupFn) (map[string]string, error) {
	data, err := bounded(file)
	if err != nil {
		return nil, err
	}
	set, err := dotenv.UnmarshalBytesWithLookup(data, lookup)
	if err != nil {
		return nil, fairlead.Errorf(fairlead.Invalid, "", "%s: %w", file, withoutValue(err)).WithHint("each line is NAME=value")
	}
	return set, nil
}

var lineOf = regexp.MustCompile(`^line \d+`)

// withoutValue keeps where a file of variables is wrong, and not what stands there,
// which may be a secret.
func withoutValue(err error) error {
	if line := lineOf.FindString(err.Error()); line != "" {
		return errors.New(line + " is no variable")
	}
	return errors.New("a line is no variable")
}

// bounded reads a regular file of at most mostBytes. It never waits for a pipe.
func bounded(file string) ([]byte, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, unreadable(file, err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, unreadable(file, err)
	case info.IsDir():
		return nil, fairlead.Errorf(fairlead.Invalid, "", "%s is a directory, not a file", file).WithHint("name a file in it, such as %s", filepath.Join(file, "compose.yaml"))
	case !info.Mode().IsRegular():
		return nil, fairlead.Errorf(fairlead.Invalid, "", "%s is no regular file", file)
	}
	data, err := io.ReadAll(io.LimitReader(f, mostBytes+1))
	if err != nil {
		return nil, unreadable(file, err)
	}
	if len(data) > mostBytes {
		return nil, fairlead.Errorf(fairlead.Invalid, "", "%s is larger than %d MiB", file, mostBytes>>20)
	}
	return data, nil
}

func unreadable(file string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &fairlead.Error{Code: fairlead.NotFound, Err: noFile{file}}
	}
	return fairlead.Errorf(fairlead.Invalid, "", "%s cannot be read: %w", file, err)
}

// noFile is a file that is not there.
type noFile struct{ name string }

func (n noFile) Error() string        { return "there is no file " + n.name }
func (n noFile) Is(target error) bool { return target == fs.ErrNotExist }

// overrideBeside returns the file that compose would merge by itself over the one
// that was named, or "".
func overrideBeside(files []string) string {
	if len(files) != 1 {
		return ""
	}
	dir, base := filepath.Split(files[0])
	ext := filepath.Ext(base)
	beside := filepath.Join(dir, strings.TrimSuffix(base, ext)+".override"+ext)
	if _, err := os.Stat(beside); err != nil {
		return ""
	}
	return beside
}
