package console

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/internal/figures"
)

// listedFiles is the most files of an artifact that a page lists.
const listedFiles = 20

// holdings are what is in a release, in words.
type holdings struct {
	client.Release
	Files client.ReleaseFiles
}

// fact is a named value in words.
type fact struct{ Name, Text string }

// namedFiles are the files that a release names as of a kind.
type namedFiles struct {
	Title string
	Files []namedFile
}

// namedFile is a file with the path of its page.
type namedFile struct {
	client.ReleaseFile
	Page string
}

// NamedFiles are the files that the release names, by kind.
func (h holdings) NamedFiles() []namedFiles {
	all := []namedFiles{{Title: "Model"}, {Title: "Prompt"}, {Title: "Configuration"}}
	for i, kind := range []string{"model", "prompt", "config"} {
		for _, f := range h.Files.Files {
			if slices.Contains(f.Kinds, kind) {
				all[i].Files = append(all[i].Files, namedFile{f, h.Page(f)})
			}
		}
	}
	return all
}

// Listed are the files that the page lists, and More how many it leaves out.
func (h holdings) Listed() []client.ReleaseFile {
	return h.Files.Files[:min(len(h.Files.Files), listedFiles)]
}

// More is how many files the page leaves out.
func (h holdings) More() int { return h.Files.Count - len(h.Listed()) }

// Page is the path of a file's own page.
func (h holdings) Page(f client.ReleaseFile) string { return filePath(h.App, h.Number, f.Path) }

// LogPath is the path of the page of the build's log.
func (h holdings) LogPath() string { return releasePath(h.App, h.Number) + "/log" }

// base is an image that a Dockerfile begins with or copies from.
type base struct{ Name, Is string }

// Bases are the images that the release's image was built on, by name; nothing of one
// that was not built. Is is what the name stood for, without the name where that repeats
// it.
func (h holdings) Bases() []base {
	var all []base
	for _, name := range slices.Sorted(maps.Keys(h.Content.Image.Bases)) {
		all = append(all, base{name, pinnedTo(h.Content.Image.Bases[name])})
	}
	return all
}

// pinnedTo is the digest of an image's name by digest, or an image's id as it is.
func pinnedTo(name string) string { return name[strings.LastIndex(name, "@")+1:] }

// Pinned is the digest for which the image's registry gave it; nothing of one that no
// registry gave.
func (h holdings) Pinned() string { return pinnedTo(h.Content.Image.Pinned) }

// BuildArgs are the values that the image's build gave to ARGs.
func (h holdings) BuildArgs() []fact {
	var all []fact
	for _, name := range slices.Sorted(maps.Keys(h.Content.Image.BuildArgs)) {
		all = append(all, fact{visible(name), visible(h.Content.Image.BuildArgs[name])})
	}
	return all
}

// CommandLine is the command as one would type it.
func (h holdings) CommandLine() string { return commandLine(h.Content.Command) }

// commandLine joins words as one would type them.
func commandLine(command []string) string {
	quoted := make([]string, len(command))
	for i, word := range command {
		if word == "" || strings.ContainsAny(word, " \t\n\r\"'\\") {
			word = strconv.Quote(word)
		}
		quoted[i] = visible(word)
	}
	return strings.Join(quoted, " ")
}

// Settings are what the release sets of how it runs.
func (h holdings) Settings() []fact {
	c := h.Content
	alive, reaches := "its process runs", []string{"its own environment"}
	if c.Health != nil {
		alive = checkWords(*c.Health)
	}
	if len(c.Network.Reach) == 0 {
		reaches[0] += " only"
	}
	facts := []fact{
		{"Port", strconv.Itoa(c.Port)},
		{"Ready when", checkWords(c.Readiness) + ", within " + span(c.Readiness.Deadline) + " of its start"},
		{"Alive while", alive},
		{"First byte within", span(c.Timeout)},
		{"Drains for", drainWords(c)},
		{"Limits", limitWords(c.Resources)},
		{"Volumes", volumeWords(c.Volumes)},
		{"Reaches", visible(strings.Join(append(reaches, c.Network.Reach...), ", "))},
		{"Assigned by", assignmentWords(c.Assignment)},
	}
	if allows := c.Loosen.Words(); len(allows) > 0 {
		facts = append(facts, fact{"Loosened", strings.Join(allows, ", ")})
	}
	return facts
}

// Variables are the release's environment variables: of all environments, then of each.
func (h holdings) Variables() []fact {
	var all []fact
	add := func(variables map[string]string, where string) {
		for _, name := range slices.Sorted(maps.Keys(variables)) {
			all = append(all, fact{visible(name) + where, visible(variables[name])})
		}
	}
	add(h.Content.Env, "")
	for _, env := range slices.Sorted(maps.Keys(h.Content.EnvIn)) {
		add(h.Content.EnvIn[env], " in "+env)
	}
	return all
}

// Secrets are the versions of the release's secrets, by name.
func (h holdings) Secrets() []fact {
	versions := map[string][]string{}
	for _, env := range slices.Sorted(maps.Keys(h.Content.Secrets)) {
		for name, version := range h.Content.Secrets[env] {
			versions[name] = append(versions[name], fmt.Sprintf("version %d in %s", version, env))
		}
	}
	var all []fact
	for _, name := range slices.Sorted(maps.Keys(versions)) {
		all = append(all, fact{name, strings.Join(versions[name], ", ")})
	}
	return all
}

// Gates are what must be proven of the release.
func (h holdings) Gates() []fact {
	var all []fact
	for _, g := range h.Content.Gates {
		text := commandLine(g.Command) + ", fresh for " + span(g.Expires)
		if len(g.Environments) > 0 {
			text += ", in " + strings.Join(g.Environments, ", ")
		}
		all = append(all, fact{g.Name, text})
	}
	return all
}

// Ways are how the release enters each environment.
func (h holdings) Ways() []fact {
	var all []fact
	for _, env := range h.Policy {
		all = append(all, fact{env.Name, wayWords(env)})
	}
	return all
}

func wayWords(env fairlead.Environment) string {
	s := env.Strategy
	var words []string
	switch s.Type {
	case fairlead.Canary:
		words = append(words, "canary, "+stepsWords(s))
	case fairlead.BlueGreen:
		words = append(words, "blue-green, all at once")
	case fairlead.Replace:
		words = append(words, "replace: the old release ends before the new one starts")
	default:
		words = append(words, s.Type)
	}
	words = append(words, figures.Plural(uint64(max(0, env.Replicas)), "instance", "instances"))
	if s.OnInconclusive != "" && s.Type == fairlead.Canary {
		words = append(words, "if inconclusive: "+inconclusive(s.OnInconclusive))
	}
	if s.RollbackWindow > 0 && s.Type != fairlead.Rolling {
		watched := "watched for " + span(s.RollbackWindow)
		if s.Holdback != nil && *s.Holdback > 0 {
			watched += " with " + s.Holdback.Weight().String() + " on the old release"
		}
		words = append(words, watched)
	}
	if env.Sandbox == fairlead.SandboxRequired {
		words = append(words, "sandbox required")
	}
	return strings.Join(words, "; ")
}

func stepsWords(s fairlead.Strategy) string {
	if s.Adaptive != nil {
		return fmt.Sprintf("from %s to %s as the evidence says", s.Adaptive.First.Weight(), s.Adaptive.Most.Weight())
	}
	var steps []string
	for _, step := range s.Steps {
		steps = append(steps, step.Weight().String())
	}
	return strings.Join(append(steps, "all"), ", ")
}

// span writes a time that somebody chose.
func span(d fairlead.Duration) string { return figures.Exactly(d.D()) }

func checkWords(c fairlead.Check) string {
	return fmt.Sprintf("GET %s answers, asked every %s, %s in a row count", visible(c.Path), span(c.Interval),
		figures.Plural(uint64(max(0, c.Failures)), "failure", "failures"))
}

func drainWords(c fairlead.Content) string {
	if c.RunLimit == c.Drain || c.RunLimit == 0 {
		return span(c.Drain)
	}
	return span(c.Drain) + ", runs and streams for " + span(c.RunLimit)
}

func limitWords(r fairlead.Resources) string {
	var words []string
	if r.CPU != "" {
		words = append(words, "CPU "+r.CPU)
	}
	if r.Memory != "" {
		words = append(words, "memory "+r.Memory)
	}
	if r.Shm != "" {
		words = append(words, "/dev/shm "+r.Shm)
	}
	if r.GPU != nil {
		words = append(words, gpuWords(*r.GPU))
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}

func gpuWords(g fairlead.GPU) string {
	var what string
	switch {
	case g.Memory != "":
		what = g.Memory + " of a GPU"
	case g.Share > 0:
		what = g.Share.Weight().String() + " of a GPU"
	default:
		what = figures.Plural(uint64(max(0, g.Count)), "GPU", "GPUs")
	}
	if g.Vendor != "" {
		what += " of " + g.Vendor
	}
	return what
}

func volumeWords(volumes []fairlead.Volume) string {
	var words []string
	for _, v := range volumes {
		text := fmt.Sprintf("%s at %s, %s", visible(v.Name), visible(v.Path), v.Size)
		switch {
		case v.Fresh:
			text += ", empty for each release"
		case v.Shared:
			text += ", several instances write"
		}
		words = append(words, text)
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, "; ")
}

func assignmentWords(a fairlead.Assignment) string {
	if a.Name == "" {
		return a.By
	}
	return a.By + ", " + visible(a.Name)
}
