package compose_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/app/compose"
)

// webOf imports a service with some attributes, beside a database, and returns its App
// and what is told of it.
func webOf(t *testing.T, attributes string) (fairlead.AppSpec, compose.Imported) {
	t.Helper()
	imported, err := importIn(t, map[string]string{"compose.yaml": "services: {web: {image: a, " + attributes + "}}\nvolumes: {data: {}}\n"})
	if err != nil {
		t.Fatalf("%s: %v", attributes, err)
	}
	return appOf(t, imported, "web"), imported
}

// tells reports whether people are told of what in a way.
func tells(i compose.Imported, kind, what string) bool {
	return slices.ContainsFunc(i.Services[0].Notes, func(n compose.Note) bool { return n.Kind == kind && strings.HasPrefix(n.What, what) })
}

func TestThePortIsTheOneThatTheAppIsCalledAt(t *testing.T) {
	for attributes, want := range map[string]struct {
		port int
		lost string
	}{
		"ports: ['8000:8000']":                {port: 8000},
		"ports: ['8000:8000', '9000:9000']":   {port: 8000, lost: "ports: 9000"},
		"ports: ['53:53/udp', '8000:8000']":   {port: 8000, lost: "ports: 53/udp"},
		"ports: ['53:53/udp']":                {lost: "ports: 53/udp"},
		"expose: ['53/udp', '7000']":          {port: 7000},
		"expose: ['7000'], ports: ['1:8000']": {port: 8000},
		"environment: {PORT: '5000'}":         {port: 5000},
		"ports: ['8000:8000', '9000:9000'], healthcheck: {test: 'curl localhost:9000/up'}":            {port: 9000, lost: "ports: 8000"},
		"ports: ['8000:8000', '8443:8443'], healthcheck: {test: 'curl -k https://localhost:8443/up'}": {port: 8000, lost: "ports: 8443"},
	} {
		spec, imported := webOf(t, attributes)
		if spec.Port != want.port && !(want.port == 0 && spec.Port == 8080) {
			t.Errorf("with %s its port is %d, want %d", attributes, spec.Port, want.port)
		}
		if want.lost != "" && !tells(imported, compose.Lost, want.lost) {
			t.Errorf("with %s nobody is told of %s: %+v", attributes, want.lost, imported.Services[0].Notes)
		}
	}
}

func TestAHealthCheckIsCarriedWhereItAsksTheAppItself(t *testing.T) {
	for check, want := range map[string]string{
		"test: 'curl -f http://localhost:8000/up', retries: 5, interval: 5s, timeout: 2s, start_period: 2m": "/up failures 5 interval 5s timeout 2s deadline 2m0s",
		"test: 'wget -q http://127.0.0.1:8000'":                                                              "/ failures 0 interval 0s timeout 0s deadline 0s",
		"test: 'curl -f localhost:8000/up || exit 1'":                                                        "/up failures 0 interval 0s timeout 0s deadline 0s",
		"test: 'curl http://localhost:8000/up', retries: 1001, interval: 2h, timeout: 2h, start_period: 30s": "/up failures 0 interval 0s timeout 0s deadline 0s",
		"test: 'curl http://localhost:8001/up'":                                                              "lost healthcheck: port 8001",
		"test: 'curl http://localhost:7999/up'":                                                              "lost healthcheck: port 7999",
		"test: 'curl http://localhost/up'":                                                                   "lost healthcheck: port 80",
		"test: 'curl http://localhost:8000/up?deep=1'":                                                       "lost healthcheck: the query",
		"test: 'curl http://other:8000/up'":                                                                  "lost healthcheck: a command",
		"test: 'pg_isready -h localhost:8000'":                                                               "lost healthcheck: a command",
		"test: [CMD, node, -e, \"require('http').get('http://localhost:8000/up')\"]":                         "/up failures 0 interval 0s timeout 0s deadline 0s",
		"test: 'wget -qO- \"0.0.0.0:8000/up\" | grep ok'":                                                    "/up failures 0 interval 0s timeout 0s deadline 0s",
		"test: 'curl -k https://localhost:8000/up'":                                                          "lost healthcheck: https",
		"disable: true": "changed healthcheck: disabled",
	} {
		spec, imported := webOf(t, "ports: ['8000:8000'], healthcheck: {"+check+"}")
		got := ""
		if r, h := spec.Readiness, spec.Health; r != nil && h != nil {
			got = fmt.Sprintf("%s failures %d interval %s timeout %s deadline %s", h.Path, h.Failures, h.Interval.D(), h.Timeout.D(), r.Deadline.D())
		}
		if kind, what, told := strings.Cut(want, " "); told && !strings.HasPrefix(want, "/") {
			if !tells(imported, kind, what) {
				t.Errorf("%s: nobody is told of %q: %+v", check, want, imported.Services[0].Notes)
			}
		} else if got != want {
			t.Errorf("%s becomes %q, want %q", check, got, want)
		}
	}
}

func TestAVolumeIsSharedWhereSeveralInstancesHaveIt(t *testing.T) {
	for attributes, want := range map[string]fairlead.Volume{
		"volumes: ['data:/data']":              {Name: "data"},
		"volumes: ['data:/data'], scale: 2":    {Name: "data", Shared: true},
		"volumes: ['data:/data:ro'], scale: 2": {Name: "data", Shared: true},
		"volumes: ['data:/data:ro']":           {Name: "data"},
		"volumes: ['/data']":                   {Name: "data", Fresh: true},
		"volumes: ['/data'], scale: 2":         {Name: "data", Fresh: true, Shared: true},
	} {
		spec, imported := webOf(t, attributes)
		want.Path, want.Size = "/data", "10Gi"
		if !slices.Equal(spec.Volumes, []fairlead.Volume{want}) {
			t.Errorf("%s becomes %+v, want %+v", attributes, spec.Volumes, want)
		}
		if replaces := spec.Environments != nil && spec.Environments[0].Strategy.Type == fairlead.Replace; replaces != (!want.Shared && !want.Fresh) {
			t.Errorf("with %s its releases replace each other: %v", attributes, replaces)
		}
		if together := strings.Contains(imported.Services[0].Text(), "several instances write to it at once"); together != (want.Shared && !want.Fresh && !strings.Contains(attributes, ":ro")) {
			t.Errorf("with %s it is asked whether several may write at once: %v", attributes, together)
		}
		if read := strings.Contains(attributes, ":ro"); read != tells(imported, compose.Lost, "volumes: data at /data: read-only") {
			t.Errorf("with %s the notes are %+v", attributes, imported.Services[0].Notes)
		}
	}
}

func TestProtectionsAreLoosenedOnlyAsTheFileLoosensThem(t *testing.T) {
	for attributes, want := range map[string]fairlead.Loosen{
		"user: '0'":                              {Root: true},
		"user: root":                             {Root: true},
		"user: '0:0'":                            {Root: true},
		"user: '1000'":                           {},
		"user: '1000:0'":                         {},
		"cap_add: [NET_ADMIN, cap_chown, chown]": {Capabilities: []string{"NET_ADMIN", "CHOWN"}},
		"cap_add: [SYS_ADMIN]":                   {},
		"cap_add: [ALL]":                         {},
		"privileged: true":                       {},
		"security_opt: ['no-new-privileges:true']":                                      {},
		"security_opt: ['no-new-privileges=false', 'seccomp=unconfined', 'apparmor:x']": {Privileges: true, Seccomp: true},
		"ulimits: {nproc: 2000}":                                                        {Processes: 2000},
	} {
		spec, _ := webOf(t, attributes)
		got := fairlead.Loosen{}
		if spec.Loosen != nil {
			got = *spec.Loosen
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s loosens %+v, want %+v", attributes, got, want)
		}
	}
	for attributes, kept := range map[string]bool{
		"ulimits: {nofile: 65536}": true, "ulimits: {nofile: 65537}": false, "ulimits: {nofile: {soft: 1024, hard: 100000}}": false,
		"ulimits: {core: 0}": true, "ulimits: {core: 1}": false, "ulimits: {memlock: 1}": false, "shm_size: 64m": true,
	} {
		if _, imported := webOf(t, attributes); kept == tells(imported, compose.Lost, attributes[:5]) {
			t.Errorf("%s is carried over: want %v; %+v", attributes, kept, imported.Services[0].Notes)
		}
	}
}

func TestASecretIsTakenOutWhereverItStands(t *testing.T) {
	const secret = "hunter2hunter2"
	for name, attributes := range map[string]string{
		"an argument of its own": "command: [serve, --password, " + secret + "]",
		"a part of an argument":  "command: [serve, --api-key=" + secret + "]",
		"another variable":       "environment: {DB_PASSWORD: " + secret + ", NOTE: 'it is " + secret + "'}",
		"a URL":                  "environment: {CALL: 'http://me:" + secret + "@example.com/'}",
		"an attribute":           "environment: {DB_PASSWORD: " + secret + "}, hostname: " + secret,
	} {
		imported, err := importIn(t, map[string]string{"compose.yaml": "services: {web: {image: a, " + attributes + "}}\n"})
		if err != nil {
			t.Fatal(err)
		}
		if all := told(imported); strings.Contains(all, secret) {
			t.Errorf("%s is kept:\n%s", name, all)
		}
	}
	spec, _ := webOf(t, "environment: {PRIMARY_KEY: identifier-of-rows, MAX_TOKENS: '4096', TOKEN_FILE: /run/token}")
	if len(spec.Secrets) > 0 || len(spec.Env) != 3 {
		t.Errorf("what is none is taken for a secret: %v of %v", spec.Secrets, spec.Env)
	}
}

func TestNamesOfServicesBecomeNamesOfAppsEachOnce(t *testing.T) {
	long := strings.Repeat("a", 39)
	for services, want := range map[string][]string{
		"Web_1: {image: a}, web-1: {image: a}":                                          {"web-1", "web-1-2"},
		"web.1: {image: a}, 1web: {image: a}, _: {image: a}":                            {"web-1", "app-1web", "app"},
		long + "-b: {image: a}, " + long + "_b: {image: a}, " + long + "bb: {image: a}": {long, long[:38] + "-2", long + "b"},
	} {
		imported, err := importIn(t, map[string]string{"compose.yaml": "services: {" + services + "}\n"})
		if err != nil {
			t.Errorf("%s: %v", services, err)
			continue
		}
		var got []string
		for _, s := range imported.Services {
			got = append(got, s.App)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s become %q, want %q", services, got, want)
		}
	}
}

func TestAnotherServiceIsKnownByEveryNameThatComposeGivesIt(t *testing.T) {
	for attributes, host := range map[string]string{
		"":                       "api",
		"hostname: brain":        "brain",
		"container_name: brain1": "brain1",
		"networks: {default: {aliases: [thinker]}}": "thinker",
	} {
		file := "services:\n  web: {image: a, environment: {CALL: 'http://" + host + ":8000'}}\n  api: {image: b, ports: ['8000:8000'], " + attributes + "}\n"
		imported, err := importIn(t, map[string]string{"compose.yaml": file})
		if err != nil {
			t.Fatal(err)
		}
		if spec := appOf(t, imported, "web"); spec.Env["CALL"] != "http://api.localhost:8080" {
			t.Errorf("%s is called at %s", host, spec.Env["CALL"])
		}
	}
}

func TestFilesAndPortsThatAreTooManyAreRefused(t *testing.T) {
	chain := map[string]string{}
	for n := range 52 {
		chain[fmt.Sprintf("f%d.yaml", n)] = fmt.Sprintf("include: [f%d.yaml]\nservices: {s%d: {image: a}}\n", n+1, n)
	}
	chain["f52.yaml"] = "services: {last: {image: a}}\n"
	chain["compose.yaml"] = "include: [f0.yaml]\n"
	if _, err := importIn(t, chain); err == nil || !strings.Contains(err.Error(), "more than 50 files") {
		t.Errorf("a chain of 53 files: %v", err)
	}
	for ports, many := range map[string]bool{"8000-8099:8000-8099": false, "8000-8100:8000-8100": true} {
		_, err := importIn(t, map[string]string{"compose.yaml": "services: {web: {image: a, ports: ['" + ports + "']}}\n"})
		if refused := err != nil && strings.Contains(err.Error(), "more than 100 ports"); refused != many {
			t.Errorf("%s: %v", ports, err)
		}
	}
}
