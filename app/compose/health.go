package compose

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/fairlead/fairlead"
)

// listening carries where a service listens, and how it is asked whether it may take traffic.
type listening struct{ *carrying }

// ports carries the one port that the app is called at: what its health is asked at,
// else the first that it publishes, else the first that it exposes.
func (c listening) ports() error {
	targets := c.targets()
	port := 0
	switch asked := httpCheck(c.service.HealthCheck); {
	case c.spec.Port != 0: // $PORT said so
		port = c.spec.Port
	case asked != nil && !asked.tls && (len(targets) == 0 || slices.Contains(targets, asked.port)):
		port = asked.port
	case len(targets) > 0:
		port = targets[0]
	}
	for i, p := range c.service.Ports {
		path := fmt.Sprintf("ports.%d", i)
		switch {
		case p.Protocol == "udp":
			c.note(Lost, path, fmt.Sprintf("ports: %d/udp", p.Target), "the gateway takes HTTP over TCP", "serve it beside Fairlead")
		case int(p.Target) == port && p.Published != "":
			c.note(Changed, path, fmt.Sprintf("ports: %s:%d", p.Published, p.Target),
				fmt.Sprintf("it is called at http://%s.localhost:%d, or by the host name of spec.route", c.made.App, gatewayPort), "")
		case int(p.Target) != port:
			c.note(Lost, path, fmt.Sprintf("ports: %d", p.Target), fmt.Sprintf("an app has one port, which is %d", port), "serve both at one port, or make an app of each")
		}
	}
	if port == 0 {
		c.portless()
		return nil
	}
	c.spec.Port = port
	if len(c.service.Ports) > 0 {
		c.carried("ports")
	} else if len(c.service.Expose) > 0 {
		c.carried("expose")
	}
	return nil
}

// targets are the TCP ports inside that the service names, in order.
func (c listening) targets() []int {
	var all []int
	for _, p := range c.service.Ports {
		if p.Protocol != "udp" {
			all = append(all, int(p.Target))
		}
	}
	for _, exposed := range c.service.Expose {
		number, protocol, _ := strings.Cut(exposed, "/")
		if n, err := strconv.Atoi(number); err == nil && protocol != "udp" {
			all = append(all, n)
		}
	}
	return all
}

// portless tells of a service that names no port.
func (c listening) portless() {
	if c.service.Build == nil {
		c.note(Decide, "image", "no port", "it names none: the image's own is taken, or 8080", "write spec.port where the app listens elsewhere")
		return
	}
	c.note(Lost, "", "no port", "it names none, as a worker does, and what Fairlead runs answers HTTP: GET / at $PORT (8080) tells whether it is ready",
		"have it answer there, and let GET / fail while it cannot work; without that it never becomes ready")
	c.remark("spec.artifact", "TODO: this service names no port. Fairlead asks it GET / at $PORT (8080) whether it is ready: have it answer.")
}

// health carries a health check that asks by HTTP.
func (c listening) health() error {
	check := c.service.HealthCheck
	if check == nil {
		return nil
	}
	asked := httpCheck(check)
	switch {
	case check.Disable || len(check.Test) > 0 && check.Test[0] == "NONE":
		c.note(Changed, "healthcheck", "healthcheck: disabled", "whether it may take traffic is asked all the same: GET / below 500", "")
		return nil
	case len(check.Test) == 0:
		c.note(Lost, "healthcheck", "healthcheck: the image's own test", "health is asked by HTTP, by nothing else", "name a path under spec.readiness and spec.health")
		return nil
	case asked == nil:
		c.note(Lost, "healthcheck", "healthcheck: a command", "health is asked by HTTP, not by a command inside", "have the app answer GET at a path, and name that under spec.readiness and spec.health")
		return nil
	case asked.tls:
		c.note(Lost, "healthcheck", "healthcheck: https", "an app is asked by HTTP, without TLS", "have it answer without TLS, and name the path under spec.readiness and spec.health")
		return nil
	case asked.port != c.spec.Port:
		c.note(Lost, "healthcheck", fmt.Sprintf("healthcheck: port %d", asked.port), fmt.Sprintf("health is asked at the app's port, which is %d", c.spec.Port), "answer there, and name the path under spec.readiness and spec.health")
		return nil
	}
	if asked.query {
		c.note(Lost, "healthcheck", "healthcheck: the query", "a check has a path only", "answer without it")
	}
	ready, alive := &fairlead.Check{Path: asked.path}, &fairlead.Check{Path: asked.path}
	for _, each := range []*fairlead.Check{ready, alive} {
		each.Timeout = within(check.Timeout, time.Millisecond, time.Hour)
		if check.Retries != nil && *check.Retries >= 1 && *check.Retries <= 1000 {
			each.Failures = int(*check.Retries)
		}
	}
	alive.Interval = within(check.Interval, 50*time.Millisecond, time.Hour)
	if check.StartPeriod != nil && time.Duration(*check.StartPeriod) > time.Minute {
		ready.Deadline = within(check.StartPeriod, time.Second, 24*time.Hour)
	}
	c.spec.Readiness, c.spec.Health = ready, alive
	c.carried("healthcheck")
	return nil
}

// within is a duration of compose as a field takes it, 0 for the default where it does not.
func within(d *types.Duration, least, most time.Duration) fairlead.Duration {
	if d == nil || time.Duration(*d) < least || time.Duration(*d) > most {
		return 0
	}
	return fairlead.Duration(*d)
}

// asked is what a health check asks by HTTP.
type asked struct {
	port  int
	path  string
	query bool
	tls   bool
}

// The forms in which a health check names its own service: a URL, in whatever program,
// and without the scheme as curl and its like take it.
var (
	ownURL  = regexp.MustCompile(`https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])[^\s"'|;&)]*`)
	ownHost = regexp.MustCompile(`\b(?:curl|wget|http)\s(?:.*\s)?["']?((?:localhost|127\.0\.0\.1|0\.0\.0\.0):\d[^\s"'|;&)]*)`)
)

// httpCheck reads a health check that calls its own service by HTTP; nil where it is
// another.
func httpCheck(check *types.HealthCheckConfig) *asked {
	if check == nil || check.Disable {
		return nil
	}
	text := strings.Join(check.Test, " ")
	named := ownURL.FindString(text)
	if host := ownHost.FindStringSubmatch(text); named == "" && host != nil {
		named = "http://" + host[1]
	}
	u, err := url.Parse(named)
	if err != nil || u.Host == "" {
		return nil
	}
	a := &asked{port: 80, path: u.EscapedPath(), query: u.RawQuery != "", tls: u.Scheme == "https"}
	if a.path == "" {
		a.path = "/"
	}
	if port, err := strconv.Atoi(u.Port()); err == nil {
		a.port = port
	}
	return a
}
