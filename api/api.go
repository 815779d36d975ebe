// Package api is the control API: HTTP and JSON, described by OpenAPI 3.1 at
// /openapi.json. It holds no rules: it authenticates, decodes, asks the domains,
// and puts what they say on the wire in the types of package client.
//
// Nothing but /healthz is answered without a principal, and nothing but reports is
// taken from one who may only report. A foreign Host or Origin
// header is refused, so that a web page cannot reach the API through a browser.
package api

import (
	"context"
	"io"
	"net/http"
	"path"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/release"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/workload"
)

// Deployments bring releases into environments.
type Deployments interface {
	// Deploy tells how far it is while it takes long, unless tell is nil.
	Deploy(ctx context.Context, d client.Deploy, by fairlead.Principal, tell func(fairlead.Progress)) (fairlead.Release, rollout.Rollout, bool, error)
	Promote(ctx context.Context, p client.Promote, by fairlead.Principal) (fairlead.Release, rollout.Rollout, error)
	Rollback(ctx context.Context, site fairlead.Site, a rollout.Ask, by fairlead.Principal) (rollout.Rollout, error)
}

// Blobs is the content store.
type Blobs interface {
	PutExpect(ctx context.Context, digest fairlead.Digest, r io.Reader) error
	Open(digest fairlead.Digest) (io.ReadCloser, error)
	Missing(ctx context.Context, digests []fairlead.Digest) ([]fairlead.Digest, error)
}

// Secrets is the vault, as far as a face may see it: values go in, never out.
type Secrets interface {
	List(ctx context.Context, env string) ([]client.Secret, error)
	Set(ctx context.Context, env, name string, v client.SecretValue, by fairlead.Principal) (client.Secret, error)
	Remove(ctx context.Context, env, name string, by fairlead.Principal) error
}

// Ledger reads entries.
type Ledger interface {
	Entries(ctx context.Context, from uint64, limit int) ([]fairlead.Entry, error)
	Size() uint64
	Wait(ctx context.Context, from uint64) error // returns when there are more than from entries
}

// Instances tells of running instances and their logs.
type Instances interface {
	List(ctx context.Context) ([]workload.Status, error)
	Logs(ctx context.Context, id string, o workload.LogOptions, w io.Writer) error
}

// Room says what the machine has and what is promised of it.
type Room interface {
	Room(ctx context.Context) (client.Room, error)
}

// Config is what the API needs. All fields are required.
type Config struct {
	Version     func() client.Version
	Engine      *rollout.Engine
	Courses     *rollout.Courses // of the engine's store
	Releases    *release.Maker
	RunsAs      func(fairlead.Release) string // who its containers run as, in words, where its image names somebody else
	Contents    *release.Contents
	Deployments Deployments
	Blobs       Blobs
	Secrets     Secrets
	Volumes     Volumes
	Ledger      Ledger
	Record      Record
	Verifier    Verifier
	Instances   Instances
	Room        Room
	Devices     Devices
	Metrics     Metrics
	Reports     Reports
	Seen        *rollout.Seen // by the gateway, lately
	Gates       Gates
	Tokens      Tokens
	Links       Links
	Now         func() time.Time                                    // by which records are made
	Open        func(ctx context.Context, s fairlead.Sealed) string // personal text for display
	Seal        func(ctx context.Context, subject, text string) (fairlead.Sealed, error)
	Identify    Identify
	Hosts       []string // names under which the API may be called, without port

	// Shutdown records who ends the server, and with all also the gateway and every
	// instance, and asks it to end. It returns before the end.
	Shutdown func(ctx context.Context, all bool, by fairlead.Principal) error
}

type server struct {
	Config
	pace pace

	recorded  memory[proof, uint64]         // the entries in which evidence is
	pastGates memory[string, []client.Gate] // of rollouts that have ended
	searches  memory[query, found]          // of the newest entries
}

// New returns the API's handler.
func New(c Config) http.Handler {
	s := &server{Config: c, pace: pace{left: map[fairlead.Sealed]allowance{}}}
	mux := http.NewServeMux()
	config := huma.DefaultConfig("Fairlead", "v1")
	config.DocsPath = ""
	config.CreateHooks = nil // no "$schema" fields in answers
	config.Transformers = []huma.Transformer{asOurs}
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	api := humago.New(mux, config)
	s.registerSites(api)
	s.registerCourse(api)
	s.registerReleases(api)
	s.registerDifferences(api)
	s.registerSecrets(api)
	registerVolumes(api, s.Volumes)
	s.registerSignals(api)
	s.registerTokens(api)
	s.registerLedger(api)
	s.registerLinks(api)
	s.registerServer(api)
	mux.HandleFunc("PUT /v1/blobs/{digest}", s.putBlob)
	mux.HandleFunc("GET /v1/blobs/{digest}", s.getBlob)
	mux.HandleFunc("POST /v1/deploy/progress", s.deployTelling)
	mux.HandleFunc("GET /v1/events", s.events)
	mux.HandleFunc("GET /v1/sites/{app}/{env}/logs", s.logs)
	mux.HandleFunc("GET /v1/logs", s.allLogs)
	s.registerMetrics(mux)
	s.registerDevices(api, mux)
	mux.HandleFunc("/", unknown)
	outer := http.NewServeMux()
	outer.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	outer.Handle("/", s.identified(mux))
	return s.hostChecked(outer)
}

// schemaName keeps types of the same name in different packages apart.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	if pkg := path.Base(t.PkgPath()); pkg != "client" && t.Name() != "" {
		return strings.ToUpper(pkg[:1]) + pkg[1:] + name
	}
	return name
}

// reply is an answer with a JSON body.
type reply[T any] struct{ Body T }

// register adds an operation whose input is decoded and whose output is encoded
// by huma.
func register[I, O any](api huma.API, method, path, id, summary string, handle func(ctx context.Context, in *I) (O, error)) {
	op := huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, MaxBodyBytes: 4 << 20}
	huma.Register(api, op, func(ctx context.Context, in *I) (*reply[O], error) {
		out, err := handle(ctx, in)
		if err != nil {
			return nil, asProblem(err)
		}
		return &reply[O]{Body: out}, nil
	})
}

// done is the answer of an operation that has nothing to say.
type done struct{}

func (s *server) registerServer(api huma.API) {
	register(api, http.MethodGet, "/v1/version", "version", "Who answers",
		func(context.Context, *struct{}) (client.Version, error) { return s.Version(), nil })
	register(api, http.MethodGet, "/v1/room", "room", "What the machine has, and what is promised of it",
		func(ctx context.Context, _ *struct{}) (client.Room, error) { return s.Room.Room(ctx) })
	register(api, http.MethodPost, "/v1/shutdown", "shutdown", "End the control plane",
		func(ctx context.Context, in *struct {
			All bool `query:"all" doc:"end the gateway and all instances too"`
		}) (done, error) {
			by := principal(ctx)
			if !by.May(fairlead.Admin) {
				return done{}, fairlead.Errorf(fairlead.Forbidden, "shut down", "this needs the role %s", fairlead.Admin)
			}
			return done{}, s.Config.Shutdown(ctx, in.All, by)
		})
	register(api, http.MethodPost, "/v1/blobs/missing", "missingBlobs", "Which content is not stored yet",
		func(ctx context.Context, in *struct{ Body []fairlead.Digest }) ([]fairlead.Digest, error) {
			return s.Blobs.Missing(ctx, in.Body)
		})
}
