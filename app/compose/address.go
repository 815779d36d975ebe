package compose

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/fairlead/fairlead"
)

// addresses carries whom a service calls, and where they are reached.
type addresses struct{ *carrying }

// gatewayPort is where `fairlead up` listens for the apps' traffic by default.
const gatewayPort = 8080

// The forms in which a variable names an address: a URL, and host:port or host alone.
var (
	urlForm  = regexp.MustCompile(`([a-z][a-z0-9+.-]*)://((?:[^/\s@]*@)?)([A-Za-z0-9._-]+)(?::(\d{1,5}))?`)
	hostForm = regexp.MustCompile(`^([A-Za-z0-9._-]+)(?::(\d{1,5}))?$`)
)

// address returns a variable's value with the addresses in it as they are inside an
// instance, and has the app reach them.
func (c addresses) address(name, value string) string {
	path := "environment." + name
	changed := urlForm.ReplaceAllStringFunc(value, func(found string) string {
		part := urlForm.FindStringSubmatch(found)
		at := c.reached(path, part[1], part[3], part[4])
		if at == "" {
			return found
		}
		return part[1] + "://" + part[2] + at
	})
	if changed == value {
		changed = c.plainAddress(name, value)
	}
	if changed != value {
		c.note(Changed, path, "environment: "+name, fmt.Sprintf("is %s, which is where that is reached here", changed), "")
	}
	return changed
}

// plainAddress is address for a value that is a host, or a host and its port.
func (c addresses) plainAddress(name, value string) string {
	part := hostForm.FindStringSubmatch(value)
	if part == nil {
		return value
	}
	_, known := c.project.serviceAt(part[1])
	isHost := strings.Contains(strings.ToUpper(name), "HOST") || strings.HasSuffix(strings.ToUpper(name), "SERVER")
	if !known && part[1] != dockerHost || part[2] == "" && !isHost {
		return value
	}
	at := c.reached("environment."+name, "", part[1], part[2])
	if host, port, err := net.SplitHostPort(at); err == nil && part[2] == "" {
		c.note(Decide, "environment."+name, "environment: "+name, "the port that goes with it is now "+port, "set the variable of the port to "+port)
		return host
	}
	if at == "" {
		return value
	}
	return at
}

// dockerHost is the machine itself, as Docker calls it.
const dockerHost = "host.docker.internal"

// schemePort returns the port that a URL of scheme means where it names none.
func schemePort(scheme string) string {
	return map[string]string{"http": "80", "https": "443", "ws": "80", "wss": "443", "postgres": "5432", "postgresql": "5432", "mysql": "3306",
		"redis": "6379", "rediss": "6379", "valkey": "6379", "mongodb": "27017", "amqp": "5672", "amqps": "5671", "nats": "4222",
		"kafka": "9092", "memcached": "11211", "smtp": "25", "smtps": "465", "bolt": "7687", "neo4j": "7687"}[scheme]
}

// reached has the app reach host:port, and returns the address by which it does, or
// "" where that stays as it is.
func (c addresses) reached(path, scheme, host, port string) string {
	if host == "localhost" || host == "0.0.0.0" || strings.HasPrefix(host, "127.") {
		return "" // its own
	}
	scheme, _, _ = strings.Cut(scheme, "+") // postgresql+asyncpg
	other, known := c.project.serviceAt(host)
	if port == "" {
		port = schemePort(scheme)
	}
	switch {
	case known && c.project.left(other) != "":
		return c.reachLeft(path, other, port)
	case known && other.Name == c.made.Name:
		return ""
	case known:
		return c.reachApp(path, other)
	case host == dockerHost && port != "":
		return c.reach(path, net.JoinHostPort("127.0.0.1", port))
	case port == "" || scheme == "file" || scheme == "unix":
		return ""
	}
	c.reach(path, net.JoinHostPort(host, port))
	return ""
}

// reach lets the app connect to address, which it returns.
func (c addresses) reach(path, address string) string {
	if slices.Contains(c.spec.Network.Reach, address) {
		return address
	}
	if wrong := c.offer("spec.network", func(s *fairlead.AppSpec) {
		s.Network.Reach = append(slices.Clone(s.Network.Reach), address)
	}); wrong != "" {
		c.note(Lost, path, "the address "+address, wrong, "name it in spec.network.reach in a form that it takes")
		return ""
	}
	return address
}

// reachApp lets the app call another one through the gateway, by its route.
func (c addresses) reachApp(path string, other types.ServiceConfig) string {
	app := c.apps[other.Name]
	first := !slices.Contains(c.spec.Network.Reach, fmt.Sprintf("%s.localhost:%d", app, gatewayPort))
	at := c.reach(path, fmt.Sprintf("%s.localhost:%d", app, gatewayPort))
	if first && at != "" {
		c.remark("spec.network.reach", "%s.localhost:%d is the app %s, through the gateway (change the port where `fairlead up --listen` names another).", app, gatewayPort, app)
	}
	return at
}

// reachLeft lets the app connect to a service that compose goes on running, at the
// address and port that it publishes on this machine.
func (c addresses) reachLeft(path string, other types.ServiceConfig, port string) string {
	inside := uint32(wellKnown()[imageBase(other.Image)].port)
	if n, err := strconv.ParseUint(port, 10, 16); err == nil {
		inside = uint32(n)
	}
	if inside == 0 {
		c.note(Lost, path, "the address of "+other.Name, "its port is not known", "name it in spec.network.reach")
		return ""
	}
	machine, outside := "127.0.0.1", strconv.Itoa(int(inside))
	published := slices.IndexFunc(other.Ports, func(p types.ServicePortConfig) bool { return p.Target == inside && p.Published != "" })
	if published >= 0 {
		outside = other.Ports[published].Published
		if at, err := netip.ParseAddr(other.Ports[published].HostIP); err == nil && !at.IsUnspecified() {
			machine = at.String() // nothing listens at the machine's other addresses
		}
	} else {
		c.note(Decide, path, "the address of "+other.Name, "it publishes no port on this machine, so that only compose's own services reach it",
			fmt.Sprintf("give it ports: [\"127.0.0.1:%s:%s\"] in the compose file", outside, outside))
	}
	return c.reach(path, net.JoinHostPort(machine, outside))
}

// inside tells in words where the services that a secret value names are reached.
func (c addresses) inside(value string) string {
	var told []string
	for _, part := range urlForm.FindAllStringSubmatch(value, -1) {
		if at := c.reached("environment", part[1], part[3], part[4]); at != "" {
			told = append(told, fmt.Sprintf("%s in the place of %s", at, strings.TrimSuffix(part[3]+":"+part[4], ":")))
		}
	}
	return strings.Join(told, " and ")
}

// serviceAt returns the service that compose's own names call host.
func (p *project) serviceAt(host string) (types.ServiceConfig, bool) {
	if s, ok := p.types.Services[host]; ok {
		return s, true
	}
	for _, name := range sortedNames(p.types.Services) {
		s := p.types.Services[name]
		if s.ContainerName == host || s.Hostname == host {
			return s, true
		}
		for _, network := range s.Networks {
			if network != nil && slices.Contains(network.Aliases, host) {
				return s, true
			}
		}
	}
	return types.ServiceConfig{}, false
}

// dependsOn carries who is reached; who starts first is nobody's to say here.
func (c addresses) dependsOn() error {
	for _, name := range sortedNames(c.service.DependsOn) {
		path := "depends_on." + name
		c.reachService(path, name)
		switch c.service.DependsOn[name].Condition {
		case types.ServiceConditionCompletedSuccessfully:
			c.note(Lost, path, "depends_on: "+name, "an app is released by itself and waits for no other to end", "make the command of "+name+" a gate (spec.gates), which must succeed before traffic")
		case types.ServiceConditionHealthy:
			c.note(Lost, path, "depends_on: "+name, "an app is released by itself and waits for no other to be healthy", "have the app try again until "+name+" answers, and be ready only then")
		default:
			c.note(Idle, path, "depends_on: "+name, "apps are started by themselves and in no order", "")
		}
	}
	return nil
}

// reachService has the app reach another service, wherever its address stands.
func (c addresses) reachService(path, name string) {
	other, known := c.project.serviceAt(name)
	switch {
	case !known || other.Name == c.made.Name:
	case c.project.left(other) == "":
		c.reachApp(path, other)
	case spoken(other) != "":
		c.reachLeft(path, other, "")
	}
}

// links carries who is reached under a name of the service's own.
func (c addresses) links() error {
	for i, link := range c.service.Links {
		name, alias, _ := strings.Cut(link, ":")
		c.reachService(fmt.Sprintf("links.%d", i), name)
		if alias != "" && alias != name {
			c.note(Lost, fmt.Sprintf("links.%d", i), "links: "+link, "there are no other names for an app than its route", "have the app use the address under spec.network.reach")
		}
	}
	c.carried("links")
	return nil
}

// networks tells what becomes of the service's networks.
func (c addresses) networks() error {
	for _, name := range sortedNames(c.service.Networks) {
		path := "networks." + name
		if n := c.service.Networks[name]; n != nil && (n.Ipv4Address != "" || n.Ipv6Address != "" || n.MacAddress != "") {
			c.note(Lost, path, "networks: "+name+": a fixed address", "an instance's address is the gateway's affair", "use the app's route")
			continue
		}
		c.note(Changed, path, "networks: "+name, "each app has a network of its own; whom it calls is in spec.network.reach", "")
	}
	return nil
}

// networkMode tells what becomes of a network that is not compose's own.
func (c addresses) networkMode() error {
	switch mode := c.service.NetworkMode; {
	case mode == "none", mode == "bridge":
		c.note(Changed, "network_mode", "network_mode: "+mode, "an app has a network of its own, and reaches what spec.network.reach names", "")
	default:
		c.note(Lost, "network_mode", "network_mode: "+mode, "no app shares the network of the machine or of another", "name what it calls in spec.network.reach; it is called by its route")
	}
	return nil
}
