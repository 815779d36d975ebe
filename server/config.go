// Package server is the composition root: it opens the state directory, makes
// every part with what it needs, runs them, and stops them in order. It is the
// only package that knows all others.
package server

import (
	"log/slog"
	"path/filepath"

	"github.com/fairlead/fairlead"
)

// Config is how a control plane is started.
type Config struct {
	State            string // state directory, absolute; made with mode 0700 if it is not there
	Listen           string // address for the applications' traffic, host:port; port 0 takes a free one
	API              string // address of the control API, host:port
	Program          string // this binary, absolute: it is started again as gateway and shims
	Version          string
	DeviceRoot       string // absolute directory below which GPUs are looked for; "" for the machine's own files
	AllowUnsandboxed bool   // start instances where the kernel has no namespaces
	Engine           string // where the container engine listens, such as unix:///run/docker.sock; default: where container.Find finds one
	Log              *slog.Logger
	Ready            func(Addresses) // called once, when the API and the gateway take calls
}

// Addresses is where a started control plane listens.
type Addresses struct {
	Gateway string // host:port
	API     string // host:port
}

// paths are the places in the state directory.
type paths struct{ state string }

func (p paths) token() string       { return filepath.Join(p.state, "admin.token") }
func (p paths) socket() string      { return filepath.Join(p.state, "control.sock") }
func (p paths) content() string     { return filepath.Join(p.state, "content") }
func (p paths) vault() string       { return filepath.Join(p.state, "vault") }
func (p paths) vaultKey() string    { return filepath.Join(p.state, "vault.key") }
func (p paths) scratch() string     { return filepath.Join(p.state, "scratch") }
func (p paths) run() string         { return filepath.Join(p.state, "run") }
func (p paths) gateway() string     { return filepath.Join(p.state, "gateway") }
func (p paths) evidenceKey() string { return filepath.Join(p.state, "evidence.key") }

func (p paths) gatewaySocket() string { return filepath.Join(p.gateway(), "control.sock") }

// check refuses a configuration that cannot work.
func (c Config) check() error {
	for name, value := range map[string]string{"state directory": c.State, "program": c.Program} {
		if !filepath.IsAbs(value) {
			return fairlead.Errorf(fairlead.Invalid, "start", "the %s %q is not an absolute path", name, value)
		}
	}
	return nil
}
