package compose

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/app"
)

// carrying turns one service into an App. Attributes that belong together are carried by
// types that embed it, such as [hardening].
type carrying struct {
	project *project
	apps    map[string]string // service -> app's name
	service types.ServiceConfig
	written map[string]any // the service's attributes as plain values
	out     string         // directory of the App file
	made    Service
	spec    *fairlead.AppSpec // of made
	writes  bool              // it may write to its image's own files today
}

func newCarrying(p *project, apps map[string]string, name, out string) *carrying {
	c := &carrying{project: p, apps: apps, service: p.types.Services[name], out: out}
	if services, ok := p.model["services"].(map[string]any); ok {
		c.written, _ = services[name].(map[string]any)
	}
	c.made = Service{Name: name, Carried: []string{}, Notes: []Note{}, comments: map[string]string{}}
	c.made.spec = fairlead.App{APIVersion: fairlead.APIVersion, Kind: fairlead.KindApp, Metadata: fairlead.Metadata{Name: apps[name]}}
	c.spec = &c.made.spec.Spec
	c.made.place = p.places.place("services." + name)
	return c
}

// carry decides what becomes of every attribute that the service has.
func (c *carrying) carry() (Service, error) {
	if why := c.project.left(c.service); why != "" {
		c.made.Left = c.project.withoutSecrets(why)
		return c.made, nil
	}
	c.made.App = c.made.spec.Metadata.Name
	c.made.File = appFile(c.out, c.made.App)
	attributes := c.attributes()
	for _, a := range attributes {
		if _, set := c.written[a.name]; !set && !a.always {
			continue
		}
		if err := a.carry(); err != nil {
			return Service{}, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.written)) {
		known := func(a attribute) bool { return a.name == name }
		if !slices.ContainsFunc(attributes, known) {
			c.other(name)
		}
	}
	c.finish()
	return c.made, nil
}

// attribute is one attribute of a service and how it is carried over.
type attribute struct {
	name   string
	carry  func() error
	always bool // also where the service does not have it
}

// attributes are those that a service's App has in some form, in the order in which
// they are carried over: later ones look at what earlier ones made.
func (c *carrying) attributes() []attribute {
	at, from, env, hard := addresses{c}, origin{c}, given{c}, hardening{c}
	on, res, kept := listening{c}, resources{c}, storage{c}
	return []attribute{
		{"image", from.image, true},
		{"build", from.build, false},
		{"entrypoint", from.command, true},
		{"command", nothing, false}, // with entrypoint
		{"secrets", env.secrets, false},
		{"env_file", nothing, false}, // with environment
		{"environment", env.environment, true},
		{"ports", on.ports, true},
		{"expose", nothing, false}, // with ports
		{"healthcheck", on.health, true},
		{"volumes", kept.volumes, false},
		{"tmpfs", kept.tmpfs, false},
		{"configs", kept.configs, false},
		{"depends_on", at.dependsOn, false},
		{"links", at.links, false},
		{"networks", at.networks, false},
		{"network_mode", at.networkMode, false},
		{"deploy", res.deploy, false},
		{"scale", res.scale, false},
		{"cpus", res.cpus, false},
		{"mem_limit", res.memory, false},
		{"gpus", res.gpus, false},
		{"runtime", res.runtime, false},
		{"stop_grace_period", res.grace, false},
		{"restart", res.restart, false},
		{"user", hard.user, false},
		{"cap_add", hard.capabilities, false},
		{"cap_drop", c.asAlways("cap_drop"), false},
		{"privileged", hard.privileged, false},
		{"read_only", hard.readOnly, true},
		{"security_opt", hard.securityOptions, false},
		{"pids_limit", hard.processes, false},
		{"shm_size", hard.sharedMemory, false},
		{"ulimits", hard.limits, false},
		{"profiles", hard.profiles, false},
	}
}

func nothing() error { return nil }

// asAlways carries an attribute that asks for no more than what always holds.
func (c *carrying) asAlways(name string) func() error {
	return func() error {
		c.carried(name)
		return nil
	}
}

// offer changes the App, unless that would make it wrong at field: then it leaves it
// as it was and returns why.
func (c *carrying) offer(field string, change func(*fairlead.AppSpec)) (wrong string) {
	before := *c.spec
	change(c.spec)
	var problems app.Problems
	errors.As(app.Check(app.Complete(c.made.spec)), &problems)
	for _, problem := range problems {
		if strings.HasPrefix(problem.Field, field) {
			*c.spec = before
			return problem.Text
		}
	}
	return ""
}

// note tells people of the attribute at path, which begins below the service.
func (c *carrying) note(kind, path, what, why, instead string) {
	file, line := c.project.places.at("services." + c.made.Name + "." + path)
	if path == "" {
		file, line = c.project.places.at("services." + c.made.Name)
	}
	clean := c.project.withoutSecrets
	told := Note{Kind: kind, File: file, Line: line, What: clean(what), Why: clean(why), Instead: clean(instead)}
	same := func(n Note) bool { return n.Kind == kind && n.What == told.What && n.Why == told.Why }
	if !slices.ContainsFunc(c.made.Notes, same) {
		c.made.Notes = append(c.made.Notes, told)
	}
}

// carried remembers that an attribute is in the App file.
func (c *carrying) carried(name string) {
	if !slices.Contains(c.made.Carried, name) {
		c.made.Carried = append(c.made.Carried, name)
	}
}

// remark writes a remark for people above a field of the App file.
func (c *carrying) remark(field, format string, args ...any) {
	text := c.project.withoutSecrets(fmt.Sprintf(format, args...))
	switch before := c.made.comments[field]; {
	case strings.Contains(before, text):
		return
	case before != "":
		text = before + "\n" + text
	}
	c.made.comments[field] = text
}

// loosen returns the app's looseness, to add to.
func (c *carrying) loosen() *fairlead.Loosen {
	if c.spec.Loosen == nil {
		c.spec.Loosen = &fairlead.Loosen{}
	}
	return c.spec.Loosen
}

// environmentSpec returns the app's one environment.
func (c *carrying) environmentSpec() *fairlead.Environment {
	if len(c.spec.Environments) == 0 {
		c.spec.Environments = []fairlead.Environment{{Name: "production"}}
	}
	return &c.spec.Environments[0]
}

// finish orders the notes as the file has them, the important ones of a line first.
func (c *carrying) finish() {
	rank := map[string]int{Lost: 0, Decide: 1, Changed: 2, Idle: 3}
	slices.SortStableFunc(c.made.Notes, func(a, b Note) int {
		if d := rank[a.Kind] - rank[b.Kind]; d != 0 {
			return d
		}
		return a.Line - b.Line
	})
	slices.Sort(c.made.Carried)
}

// other tells of an attribute that no App has.
func (c *carrying) other(name string) {
	if strings.HasPrefix(name, "x-") {
		c.note(Idle, name, name, "extensions mean something to other programs only", "")
		return
	}
	if why, idle := idleAttributes()[name]; idle {
		c.note(Idle, name, name, why, "")
		return
	}
	if known, ok := lostAttributes()[name]; ok {
		c.note(Lost, name, c.shown(name), known[0], known[1])
		return
	}
	c.note(Lost, name, c.shown(name), "an App has nothing like it", "check whether the app needs it")
}

// shown is an attribute with its value where that is one short word.
func (c *carrying) shown(name string) string {
	switch value := c.written[name].(type) {
	case string, int, bool, float64:
		if text := fmt.Sprint(value); len(text) <= 40 && text != "" {
			return name + ": " + text
		}
	}
	return name
}
