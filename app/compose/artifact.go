package compose

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/fairlead/fairlead"
)

// origin carries what a service is made of, and what of it is run.
type origin struct{ *carrying }

// left says why no App is made of a service, or nothing.
func (p *project) left(s types.ServiceConfig) string {
	switch {
	case s.Provider != nil:
		return "it is made by a provider of compose, not run from an image"
	case s.Build != nil && s.Build.DockerfileInline != "":
		return "its Dockerfile stands in the compose file; write it into a file of its own, name that as build.dockerfile, and import again"
	case s.Build != nil && elsewhere.MatchString(s.Build.Context):
		return "it is built from " + s.Build.Context + ", which is not on this machine; clone it, name the clone as build.context, and import again"
	case s.Image == "" && s.Build == nil:
		return "it has neither image nor build"
	}
	if protocol := spoken(s); protocol != "" {
		return fmt.Sprintf("it speaks %s, and what Fairlead runs answers HTTP; keep it where it is (docker compose up -d %s), and let the apps reach it", protocol, s.Name)
	}
	if waiting := p.waitForEnd(s.Name); len(waiting) > 0 {
		return fmt.Sprintf("it runs once and ends, which an app never does; make its command a gate of %s (spec.gates), or run it before each deploy", strings.Join(waiting, ", "))
	}
	return ""
}

// spoken returns what a well-known image speaks that is not HTTP, or nothing.
func spoken(s types.ServiceConfig) string {
	if s.Build != nil {
		return ""
	}
	return wellKnown()[imageBase(s.Image)].protocol
}

// imageBase is the last part of an image's name, without tag and digest.
func imageBase(image string) string {
	base := image[strings.LastIndex(image, "/")+1:]
	base, _, _ = strings.Cut(base, "@")
	base, _, _ = strings.Cut(base, ":")
	return base
}

// server is what a well-known image serves.
type server struct {
	protocol string
	port     uint32
}

// wellKnown are images whose servers speak no HTTP, by the last part of their name.
func wellKnown() map[string]server {
	postgres, mysql, redis := server{"PostgreSQL", 5432}, server{"MySQL", 3306}, server{"Redis", 6379}
	kafka, mongo := server{"Kafka", 9092}, server{"MongoDB", 27017}
	return map[string]server{
		"postgres": postgres, "postgresql": postgres, "postgis": postgres, "pgvector": postgres, "timescaledb": postgres,
		"timescaledb-ha": postgres, "pgbouncer": postgres, "mysql": mysql, "mariadb": mysql, "percona": mysql, "mysql-server": mysql,
		"redis": redis, "valkey": redis, "redis-stack": redis, "redis-stack-server": redis, "dragonfly": redis, "keydb": redis,
		"memcached": {"the memcached protocol", 11211}, "mongo": mongo, "mongodb": mongo, "mongodb-community-server": mongo,
		"kafka": kafka, "cp-kafka": kafka, "redpanda": kafka, "rabbitmq": {"AMQP", 5672}, "nats": {"NATS", 4222},
		"zookeeper": {"ZooKeeper's protocol", 2181}, "cassandra": {"CQL", 9042}, "scylla": {"CQL", 9042},
		"eclipse-mosquitto": {"MQTT", 1883}, "cockroach": postgres,
	}
}

// waitForEnd returns the services that start when this one has ended.
func (p *project) waitForEnd(name string) []string {
	var waiting []string
	for _, s := range p.types.Services {
		if s.DependsOn[name].Condition == types.ServiceConditionCompletedSuccessfully {
			waiting = append(waiting, s.Name)
		}
	}
	slices.Sort(waiting)
	return waiting
}

// image carries the image, unless the service is built.
func (c origin) image() error {
	switch {
	case c.service.Build != nil:
		if c.service.Image != "" {
			c.note(Idle, "image", "image", "it names what the build makes, which Fairlead names by digest", "")
		}
	case c.service.Image != "":
		c.carried("image")
		c.spec.Artifact.Image = c.service.Image
	}
	return nil
}

// build carries the Dockerfile and the directory that it copies from.
func (c origin) build() error {
	b := c.service.Build
	dockerfile, inside := b.Dockerfile, b.Context
	if inside == "" {
		inside = "."
	}
	if dockerfile == "" {
		dockerfile = "Dockerfile"
	}
	if !filepath.IsAbs(inside) {
		inside = filepath.Join(c.project.dir, inside)
	}
	if !filepath.IsAbs(dockerfile) {
		dockerfile = filepath.Join(inside, dockerfile)
	}
	file, err := c.relative(dockerfile)
	if err == nil {
		c.spec.Artifact.Dockerfile = file
		c.carried("build")
		if filepath.Dir(dockerfile) != inside {
			c.spec.Artifact.Context, err = c.relative(inside)
		}
	}
	if err != nil {
		return err
	}
	c.buildOptions()
	return nil
}

// relative is a path as an App file names it: relative to itself, and not above it.
func (c origin) relative(path string) (string, error) {
	out, err := filepath.Abs(c.out)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", c.out, err)
	}
	rel, err := filepath.Rel(out, path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return "", fairlead.Errorf(fairlead.Invalid, "import", "service %s is built from %s, which an App file in %s cannot name: paths stay below the file", c.made.Name, path, c.out).
			WithHint("write the App files above it: --out DIR")
	}
	return filepath.ToSlash(rel), nil
}

// buildOptions tells of the options of a build that an App has not.
func (c origin) buildOptions() {
	written, _ := c.written["build"].(map[string]any)
	for name := range written {
		path := "build." + name
		switch name {
		case "context", "dockerfile":
		case "args":
			c.buildArgs()
		case "target":
			c.target()
		case "secrets", "ssh":
			c.note(Lost, path, path, "a build has no secrets", "fetch what needs them before, and copy it from the context")
		case "additional_contexts":
			c.note(Lost, path, path, "a build copies from one directory", "set the context to a directory that holds them all")
		case "cache_from", "cache_to", "tags", "labels", "pull", "no_cache", "provenance", "sbom":
			c.note(Idle, path, path, "how an image is kept and named is Fairlead's own affair", "")
		default:
			c.note(Lost, path, path, "a build has no such option", "see whether the build works without it")
		}
	}
}

// buildArgs carries the values of a Dockerfile's ARGs, but secrets: an image keeps them.
func (c origin) buildArgs() {
	args := c.service.Build.Args
	for _, name := range sortedNames(args) {
		path := "build.args." + name
		value, known := "", args[name] != nil
		if known {
			value = *args[name]
		} else {
			value, known = c.project.env[name]
		}
		switch {
		case !known:
			c.note(Lost, path, "build.args: "+name, "it is to come from the environment of whoever builds it, and is not set here", "set it under spec.artifact.buildArgs")
			continue
		case c.project.secretValue(name, value):
			c.project.keepSecret(value)
			c.note(Lost, path, "build.args: "+name, "a secret, which the image would keep for good", "have the app read it when it runs (spec.secrets), or fetch what needs it before, and copy it from the context")
			continue
		}
		if wrong := c.offer("spec.artifact.buildArgs", func(s *fairlead.AppSpec) {
			s.Artifact.BuildArgs = maps.Clone(s.Artifact.BuildArgs)
			if s.Artifact.BuildArgs == nil {
				s.Artifact.BuildArgs = map[string]string{}
			}
			s.Artifact.BuildArgs[name] = value
		}); wrong != "" {
			c.note(Lost, path, "build.args: "+clip(name), wrong, "write it under spec.artifact.buildArgs")
		}
	}
}

// target carries the stage of the Dockerfile that is built.
func (c origin) target() {
	const field = "spec.artifact.target"
	target := c.service.Build.Target
	if wrong := c.offer(field, func(s *fairlead.AppSpec) { s.Artifact.Target = target }); wrong != "" {
		c.note(Lost, "build.target", "build.target: "+clip(target), wrong, "write "+field)
	}
}

// command carries entrypoint and command, which together are what is run.
func (c origin) command() error {
	_, entry := c.written["entrypoint"]
	_, rest := c.written["command"]
	switch {
	case entry:
		c.spec.Command = append(slices.Clone([]string(c.service.Entrypoint)), c.service.Command...)
		c.carried("entrypoint")
	case rest && len(c.service.Command) > 0:
		c.spec.Command = slices.Clone([]string(c.service.Command))
		c.entryPoint()
	}
	if rest {
		c.carried("command")
	}
	if len(c.spec.Command) == 0 {
		c.spec.Command = nil
		return nil
	}
	public, found := c.project.publicArguments(c.spec.Command)
	c.spec.Command = public
	if found {
		c.note(Lost, "command", "a secret among the command's arguments", "who may list processes sees it, and a file that is kept for good must not hold it", "have the app read it from a file in /run/secrets, and take "+removed+" out of the command")
		c.remark("spec.command", "TODO: take %s out; the app reads the secret from a file in /run/secrets.", removed)
	}
	if i := slices.Index(c.spec.Command, ""); i >= 0 {
		c.note(Lost, "command", "an empty argument", "an App's command has none", "write a small program or script that gives it")
		c.spec.Command = slices.DeleteFunc(c.spec.Command, func(s string) bool { return s == "" })
	}
	return nil
}

// entryPoint puts the image's entry point before a command, which compose leaves to
// the image, where the Dockerfile tells it, and asks for it where nothing does.
func (c origin) entryPoint() {
	if c.service.Build != nil {
		known, entry := entryPointOf(filepath.Join(c.out, filepath.FromSlash(c.spec.Artifact.Dockerfile)), c.spec.Artifact.Target)
		if known {
			c.spec.Command = append(entry, c.spec.Command...)
			return
		}
	}
	what := c.service.Image
	if what == "" {
		what = "the image"
	}
	c.note(Decide, "command", "command", "compose gives it to the image's entry point; an App's command is all that is run",
		"if "+what+" has an entry point, put it first: docker image inspect -f '{{json .Config.Entrypoint}}' "+c.service.Image)
	c.remark("spec.command", "TODO: if the image has an entry point, put it first: compose gave this command to it.")
}
