package app

import (
	"fmt"
	"net"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/quantity"
	"github.com/fairlead/fairlead/internal/strictyaml"
)

// app applies the rules that bind several fields, or one in a way that no
// pattern can say.
func (c *checking) app(app fairlead.App) {
	spec := app.Spec
	c.artifact(spec.Artifact)
	c.build(spec)
	if spec.Command == nil && !spec.Artifact.Container() {
		c.problem("spec.command", "is required and not empty")
	}
	for _, list := range []struct {
		name  string
		paths []string
	}{{"model", spec.Model}, {"prompt", spec.Prompt}, {"config", spec.Config}} {
		c.paths("spec."+list.name, list.paths)
	}
	if spec.Health != nil && spec.Health.Deadline != 0 {
		c.problem("spec.health.deadline", "is for readiness only")
	}
	if spec.RunLimit < spec.Drain {
		c.problem("spec.runLimit", "want at least drain (%s), found %s", spec.Drain, spec.RunLimit)
	}
	c.resources(spec.Resources)
	for i, reach := range spec.Network.Reach {
		c.reach(fmt.Sprintf("spec.network.reach[%d]", i), reach)
	}
	c.unique("spec.secrets", "name", len(spec.Secrets), func(i int) string { return spec.Secrets[i].Name })
	c.assignment(spec.Assignment)
	c.prefix("spec.route.pathPrefix", spec.Route.PathPrefix)
	c.signals("spec", spec.Signals)
	c.environments(spec.Environments)
	c.gates(spec)
	c.volumes(spec)
	c.loosen(spec)
}

func (c *checking) artifact(a fairlead.Artifact) {
	sources := 0
	for _, set := range []bool{a.Directory != "", a.Git != nil, a.Image != "", a.Dockerfile != "", a.Archive != ""} {
		if set {
			sources++
		}
	}
	if sources != 1 {
		c.problem("spec.artifact", "want exactly one of directory, from, image, dockerfile and archive, found %d", sources)
	}
	if a.Context != "" && a.Dockerfile == "" {
		c.problem("spec.artifact.context", "is what a dockerfile copies from; there is none")
	}
	if a.Credentials != "" && a.Image == "" && a.Dockerfile == "" {
		c.problem("spec.artifact.credentials", "are for a registry, which only image and dockerfile ask")
	}
	for _, given := range []struct{ name, path string }{
		{"directory", a.Directory}, {"dockerfile", a.Dockerfile}, {"context", a.Context}, {"archive", a.Archive},
	} {
		if given.path != "" {
			c.path("spec.artifact."+given.name, path.Clean(given.path))
		}
	}
	if a.Git != nil {
		c.path("spec.artifact.from.directory", path.Clean(a.Git.Directory))
	}
}

func (c *checking) paths(field string, paths []string) {
	for i, p := range paths {
		c.path(fmt.Sprintf("%s[%d]", field, i), p)
	}
	for i := range paths {
		for j := range i {
			if paths[i] == paths[j] {
				c.problem(fmt.Sprintf("%s[%d]", field, i), "%q is listed twice", clip(paths[i]))
			}
		}
	}
}

// path demands a relative path that stays where it begins and has one spelling.
func (c *checking) path(field, p string) {
	clean := path.Clean(p)
	switch {
	case p == "" || strings.HasPrefix(p, "/"):
		// the field's own rule has said so
	case clean == ".." || strings.HasPrefix(clean, "../"):
		c.problem(field, "%q leaves the directory; paths stay inside it", clip(p))
	case clean != p:
		c.problem(field, "%q can be written %q; use that", clip(p), clip(clean))
	}
}

// prefix demands the one spelling of a route's path by which the gateway tells
// whether it is taken.
func (c *checking) prefix(field, p string) {
	if clean := path.Clean(p); strings.HasPrefix(p, "/") && clean != p {
		c.problem(field, "%q can be written %q; use that", clip(p), clip(clean))
	}
}

func (c *checking) resources(r fairlead.Resources) {
	if r.CPU != "" && cpuForm.MatchString(r.CPU) {
		if _, ok := quantity.ParseCPU(r.CPU); !ok {
			c.problem("spec.resources.cpu", "%q is not an amount of CPU above 0 such as \"500m\" or \"2\"", clip(r.CPU))
		}
	}
	c.amount("spec.resources.memory", r.Memory, "memory")
	c.shm(r)
	if g := r.GPU; g != nil {
		c.amount("spec.resources.gpu.memory", g.Memory, "memory")
		asked := 0
		for _, set := range []bool{g.Count != 0, g.Memory != "", g.Share != 0} {
			if set {
				asked++
			}
		}
		if asked != 1 {
			c.problem("spec.resources.gpu", "want exactly one of count, memory and share, found %d", asked)
		}
	}
}

// leastShm is the smallest /dev/shm that a file may ask for: of less, a file system
// would have no room for one file.
const leastShm = 1 << 20

// shm demands a /dev/shm that fits into the memory that it is a part of.
func (c *checking) shm(r fairlead.Resources) {
	const field = "spec.resources.shm"
	c.amount(field, r.Shm, "memory")
	size, ok := quantity.ParseBytes(r.Shm)
	if r.Shm == "" || !ok {
		return
	}
	if size < leastShm {
		c.problem(field, "want at least 1Mi, found %s", clip(r.Shm))
	}
	if memory, ok := quantity.ParseBytes(r.Memory); ok && memory > 0 && size > memory {
		c.problem(field, "what is in /dev/shm counts as memory, so want at most memory (%s), found %s", clip(r.Memory), clip(r.Shm))
	}
}

// amount demands an amount of bytes that is above 0 and can be had.
func (c *checking) amount(field, amount, of string) {
	if !memoryForm.MatchString(amount) {
		return // the field's own rule has said so
	}
	if _, ok := quantity.ParseBytes(amount); !ok {
		c.problem(field, "%q is not an amount of %s such as \"256Mi\" or \"2Gi\"", clip(amount), of)
	}
}

func (c *checking) reach(field, reach string) {
	_, port, err := net.SplitHostPort(reach)
	if err != nil {
		return // the field's own rule has said so
	}
	if n, err := strconv.Atoi(port); err == nil && n > 65535 {
		c.problem(field, "want a port of 1 to 65535, found %d", n)
	}
}

func (c *checking) unique(field, key string, n int, name func(int) string) {
	seen := map[string]bool{}
	for i := range n {
		if seen[name(i)] {
			c.problem(fmt.Sprintf("%s[%d].%s", field, i, key), "%q is used twice", clip(name(i)))
		}
		seen[name(i)] = true
	}
}

func (c *checking) assignment(a fairlead.Assignment) {
	switch {
	case a.By == fairlead.ByHeader && a.Name == "":
		c.problem("spec.assignment", "by header needs a name: that of the header")
	case a.By == fairlead.ByAPIKey && a.Name != "":
		c.problem("spec.assignment.name", "means nothing by apiKey, which reads Authorization and X-API-Key")
	case (a.By == fairlead.ByHeader || a.By == fairlead.ByRun) && ofTheConnection(a.Name):
		c.problem("spec.assignment.name", "%s says how a request travels, not whose it is: every request would be a unit of its own", a.Name)
	case (a.By == fairlead.ByHeader || a.By == fairlead.ByRun) && ofTheGateway(a.Name):
		c.problem("spec.assignment.name", "%s is written by the gateway, which takes a client's away; choose another name", a.Name)
	}
}

// ofTheGateway reports whether a header is one that the gateway itself writes or reads.
func ofTheGateway(header string) bool {
	switch strings.ToLower(header) {
	case "fairlead-mirrored", "fairlead-trace", "fairlead-signal":
		return true
	}
	return false
}

// ofTheConnection reports whether a header is read by HTTP itself, so that it
// never names a unit (RFC 9110, sections 7.2 and 7.6.1).
func ofTheConnection(header string) bool {
	switch strings.ToLower(header) {
	case "host", "connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade":
		return true
	}
	return false
}

func (c *checking) environments(environments []fairlead.Environment) {
	const field = "spec.environments"
	c.unique(field, "name", len(environments), func(i int) string { return environments[i].Name })
	routes := map[fairlead.Route]string{}
	for i, env := range environments {
		at := fmt.Sprintf("%s[%d]", field, i)
		if other, taken := routes[env.Route]; taken {
			c.problem(at+".route", "%s%s is the route of %q already", env.Route.Host, env.Route.PathPrefix, other)
		}
		routes[env.Route] = env.Name
		c.prefix(at+".route.pathPrefix", env.Route.PathPrefix)
		c.strategy(at+".strategy", env.Strategy)
		c.compared(at+".strategy", env)
	}
}

// compared demands that a release that goes in all at once leaves a share on the
// old one: without it there is no evidence, and nothing could ever promote it.
func (c *checking) compared(field string, env fairlead.Environment) {
	s := env.Strategy
	atOnce := s.Type == fairlead.BlueGreen || s.Type == fairlead.Rolling && env.Replicas == 1
	if atOnce && s.Holdback != nil && *s.Holdback == 0 && s.OnInconclusive != fairlead.OnInconclusivePromote {
		c.problem(field+".holdback", "0 leaves %s nothing to compare the new release with, so nothing could promote it; keep a share, or say onInconclusive: promote", clip(s.Type))
	}
}

func (c *checking) gates(spec fairlead.AppSpec) {
	c.unique("spec.gates", "name", len(spec.Gates), func(i int) string { return spec.Gates[i].Name })
	var known []string
	for _, env := range spec.Environments {
		known = append(known, env.Name)
	}
	for i, gate := range spec.Gates {
		for j, demanded := range gate.Environments {
			if !slices.Contains(known, demanded) {
				c.problem(fmt.Sprintf("spec.gates[%d].environments[%d]", i, j), "there is no environment %q%s",
					clip(demanded), strictyaml.DidYouMean(demanded, known))
			}
		}
	}
}

func (c *checking) strategy(field string, s fairlead.Strategy) {
	c.fits(field, s)
	if len(s.Steps) > 0 && s.Adaptive != nil {
		c.problem(field+".adaptive", "steps and adaptive exclude each other")
	}
	for i := 1; i < len(s.Steps); i++ {
		if s.Steps[i].Weight() <= s.Steps[i-1].Weight() {
			c.problem(fmt.Sprintf("%s.steps[%d]", field, i), "steps must grow: %g is not more than %g", float64(s.Steps[i]), float64(s.Steps[i-1]))
		}
	}
	if len(s.Steps) > 0 && s.Steps[0].Weight() == 0 && s.Mirror == nil {
		c.problem(field+".steps[0]", "0 gives the new release no traffic to be judged by; it needs mirror, or want 0.01 or more")
	}
	if s.Adaptive != nil && s.Adaptive.First > s.Adaptive.Most {
		c.problem(field+".adaptive.most", "want at least first (%g), found %g", float64(s.Adaptive.First), float64(s.Adaptive.Most))
	}
	if s.MaxStep < s.MinStep {
		c.problem(field+".maxStep", "want at least minStep (%s), found %s", s.MinStep, s.MaxStep)
	}
	c.signals(field, s.Signals)
	c.unique(field+".guards", "name", len(s.Guards), func(i int) string { return s.Guards[i].Name })
	for i, guard := range s.Guards {
		c.guard(fmt.Sprintf("%s.guards[%d]", field, i), guard)
	}
}

// fits demands that a strategy has what its type can use, and no more.
func (c *checking) fits(field string, s fairlead.Strategy) {
	if len(s.Steps) > 0 && s.Type != fairlead.Canary {
		c.problem(field+".steps", "only a canary has steps; this is %s", clip(s.Type))
	}
	if s.Adaptive != nil && s.Type != fairlead.Canary {
		c.problem(field+".adaptive", "only a canary has steps that adapt; this is %s", clip(s.Type))
	}
	if s.Shrink && s.Type != fairlead.Canary && s.Type != fairlead.BlueGreen {
		c.problem(field+".shrink", "makes room for a release beside the old one, in canary and blueGreen; this is %s", clip(s.Type))
	}
	if s.Type != fairlead.Replace {
		return
	}
	if s.Mirror != nil {
		c.problem(field+".mirror", "copies what the old release answers, and replace ends it first")
	}
	if s.Holdback != nil && *s.Holdback > 0 {
		c.problem(field+".holdback", "keeps a share on the old release, and replace ends it first; leave it out")
	}
}

func (c *checking) signals(field string, signals []fairlead.SignalSpec) {
	c.unique(field+".signals", "name", len(signals), func(i int) string { return signals[i].Name })
	for i, signal := range signals {
		at := fmt.Sprintf("%s.signals[%d]", field, i)
		if signal.Name == fairlead.ErrorSignal {
			c.problem(at+".name", "%s is judged with the failures of requests and needs no declaration", signal.Name)
		}
		if measured(signal) {
			c.problem(at+".name", "%s is what the gateway measures itself; give yours another name", signal.Name)
		}
		if standard := standardSignals()[signal.Name]; standard != "" && signal.Kind != "" && signal.Kind != standard {
			c.problem(at+".kind", "%s is %s everywhere; give yours another name", signal.Name, standard)
		}
	}
}

// measured reports whether a signal would be told by the title of one that needs no
// declaration. An amount's titles end in its quantile: "latency p50".
func measured(s fairlead.SignalSpec) bool {
	switch s.Name {
	case "failures", "restarts":
		return true
	case "latency":
		return s.Kind == fairlead.KindAmount
	}
	return false
}

func (c *checking) guard(field string, g fairlead.Guard) {
	if u, err := url.Parse(g.Prometheus); err == nil && u.User != nil {
		c.problem(field+".prometheus", "holds a credential, and what a file says is recorded for good; name a server that asks for none, such as a proxy of your own")
	}
	if g.Name == "failures" {
		c.problem(field+".name", "%s is the guard of a promoted release without a holdback; give yours another name", g.Name)
	}
	switch {
	case (g.Query == "") == (g.Metric == ""):
		c.problem(field, "want exactly one of query and metric")
	case g.Query != "" && g.Prometheus == "":
		c.problem(field+".query", "needs prometheus: the base URL of the server that answers it")
	case g.Metric != "" && g.Prometheus != "":
		c.problem(field+".prometheus", "is for query; a metric is read from the instances")
	}
	filled := strings.NewReplacer("{{app}}", "", "{{environment}}", "", "{{release}}", "") // as the guard does
	if _, other, found := strings.Cut(filled.Replace(g.Query), "{{"); found {
		c.problem(field+".query", "only {{app}}, {{environment}} and {{release}} are filled in, found {{%s", clip(other))
	}
	switch {
	case g.Min == nil && g.Max == nil:
		c.problem(field, "want min or max: the values that are good")
	case g.Min != nil && g.Max != nil && *g.Min > *g.Max:
		c.problem(field+".max", "want at least min (%g), found %g", *g.Min, *g.Max)
	}
}
