package server

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api"
	"github.com/fairlead/fairlead/api/client"
)

// handler is the API, with what it may do here.
func (s *control) handler() http.Handler {
	return api.New(api.Config{
		Version: s.version, Engine: s.engine, Releases: s.releases,
		Deployments: deployments{releases: s.releases, engine: s.engine, routes: &sync.Mutex{}, making: &sites{busy: map[fairlead.Site]bool{}}},
		Blobs:       s.trees, Secrets: vaultFace{now: s.clock.Now, vault: s.vault, engine: s.engine, releases: s.releases}, Ledger: s.store, Instances: s.runtime,
		Reports: s.loop, Tokens: s.programs,
		Now: s.clock.Now, Open: s.openSealed, Seal: s.store.Sealer().Seal, Identify: s.who.identify, Hosts: s.hosts(),
		Shutdown: s.shutdown,
	})
}

// shutdown records who ends the control plane, and with all everything, before it
// does.
func (s *control) shutdown(ctx context.Context, all bool, by fairlead.Principal) error {
	text := "the control plane ends; the gateway and the instances go on"
	if all {
		text = "the control plane, the gateway and all instances end"
	}
	err := record(ctx, s.store, s.clock.Now(), "server.ending", by.ID, map[string]any{"text": text, "all": all})
	if err != nil {
		return fmt.Errorf("record the end: %w", err)
	}
	select {
	case s.end <- all:
	default: // it ends already
	}
	return nil
}

func (s *control) hosts() []string {
	hosts := []string{"fairlead", "localhost", "127.0.0.1", "::1"}
	if host, _, err := net.SplitHostPort(s.api); err == nil {
		hosts = append(hosts, host)
	}
	return hosts
}

func (s *control) openSealed(ctx context.Context, sealed fairlead.Sealed) string {
	text, err := s.store.Sealer().Open(ctx, sealed)
	if err != nil {
		return "[unreadable]"
	}
	return text
}

func (s *control) version() client.Version {
	return client.Version{
		Version: s.Version, Go: runtime.Version(), Term: s.term, Started: s.started, Pid: os.Getpid(),
		Gateway: s.entrance, API: s.api, State: s.State, ClockOff: s.clock.Off().Round(time.Second).Seconds(),
	}
}
