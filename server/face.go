package server

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/console"
	"github.com/fairlead/fairlead/internal/inprocess"
	"github.com/fairlead/fairlead/internal/ourhost"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/workload/container"
)

// face is what the listeners serve: the API, and the console at all other paths.
func (s *control) face() http.Handler {
	control := s.handler()
	pages := console.New(console.Config{
		API: func(who fairlead.Principal) *client.Client {
			return client.Within(asCaller{who: who, next: inprocess.Transport{Handler: s.calls.counted(control), Log: s.Log}})
		},
		Sessions: s.sessions, Changed: s.grown, Now: s.clock.Now, Hosts: s.hosts(), Log: s.Log, Version: s.Version,
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ofAPI(r.URL.Path) {
			control.ServeHTTP(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	})
}

// ofAPI reports whether a path is the API's.
func ofAPI(path string) bool {
	return strings.HasPrefix(path, "/v1/") || strings.HasPrefix(path, "/openapi") || strings.HasPrefix(path, "/schemas/") || path == "/healthz"
}

// asCaller makes calls as a principal.
type asCaller struct {
	who  fairlead.Principal
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (a asCaller) RoundTrip(r *http.Request) (*http.Response, error) {
	return a.next.RoundTrip(r.WithContext(actingAs(r.Context(), a.who)))
}

// handler is the API, with what it may do here.
func (s *control) handler() http.Handler {
	return api.New(api.Config{
		Version: s.version, Engine: s.engine, Courses: rollout.NewCourses(s.store), Releases: s.releases, Contents: s.newContents(),
		Deployments: deployments{releases: s.releases, images: s.images, engine: s.engine, routes: &sync.Mutex{}, making: &sites{busy: map[fairlead.Site]bool{}}, rooms: s.newRooms(), log: s.Log},
		Blobs:       s.trees, Secrets: vaultFace{now: s.clock.Now, vault: s.vault, engine: s.engine, releases: s.releases}, Volumes: s.volumes, Ledger: s.store, Record: s.store, Verifier: s.verifier, Instances: s.runtime, Room: s.newRooms(), Devices: s.devices, Metrics: s.metrics,
		Reports: s.loop, Seen: s.loop.Seen, Gates: s.gates.readiness, Tokens: s.programs, Links: s.sessions,
		Now: s.clock.Now, Open: s.openSealed, Seal: s.store.Sealer().Seal, Identify: s.who.identify, Hosts: s.hosts(),
		Shutdown: s.shutdown, RunsAs: runsAsEverywhere,
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

// grown waits until the ledger has more than from entries, and returns how many.
func (s *control) grown(ctx context.Context, from uint64) (uint64, error) {
	err := s.store.Wait(ctx, from)
	return s.store.Size(), err
}

func (s *control) hosts() []string {
	hosts := []string{"fairlead", ourhost.Console, "localhost", "127.0.0.1", "::1"}
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
		Gateway: s.entrance, API: s.api, State: s.State, Engine: container.ShownHost(s.engineHost()), ClockOff: s.clock.Off().Round(time.Second).Seconds(),
	}
}
